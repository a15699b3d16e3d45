// A child process to talk with: messages go over a socket of their own, whatever the child prints goes to a log file.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// A stream of bytes between two processes. Closing it tells the other side that we are gone.
class Channel {
 public:
  explicit Channel(int descriptor) : descriptor_(descriptor) {}
  Channel(Channel&& other) noexcept;
  Channel& operator=(Channel&& other) noexcept;
  ~Channel();
  // False when the other side is gone.
  bool send(std::span<const std::byte> bytes);
  bool receive(std::span<std::byte> bytes);

 private:
  int descriptor_;
};

class Child {
 public:
  // Starts `program` with `arguments` and the number of its end of the channel as the last one. The child is in a process
  // group of its own and dies with us.
  static Result<Child> start(const Path& program, std::vector<std::string> arguments, const Path& log_file);
  Child(Child&& other) noexcept;
  Child& operator=(Child&&) = delete;
  // Kills the child when it still runs.
  ~Child();

  Channel& channel() { return channel_; }
  // After the channel broke: how it ended, "was killed by signal 11 (Segmentation fault)". Waits for the end.
  std::string describe_end();

 private:
  Child(int process, Channel channel) : process_(process), channel_(std::move(channel)) {}
  int process_;  // -1: its end is known
  std::string end_;
  Channel channel_;
};

}  // namespace fastvlm
