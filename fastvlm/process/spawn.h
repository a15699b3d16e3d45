// Starting a child process: the one place that forks. Every child is in a process group of its own and dies with us.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// An open file of ours, closed with its owner; -1: none.
class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  // Closes the old one at once: whoever waits for the end of a pipe would wait for it, too.
  Descriptor& operator=(Descriptor&& other) noexcept {
    const int value = std::exchange(other.value_, -1);
    reset();
    value_ = value;
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset();
  int get() const { return value_; }

 private:
  int value_;
};

// The descriptor under which a child finds its end of a channel.
inline constexpr int kChildChannel = 3;

struct SpawnOptions {
  Path program;                                                  // searched on the PATH when it has no slash
  std::vector<std::string> arguments;                            // without the program's own name
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, or in place of ours
  Path working_folder;                                           // empty: ours
  int input = -1;                                                // becomes its standard input; -1: nothing to read
  int output = -1;                                               // becomes its standard output and error; -1: thrown away
  int channel = -1;                                              // becomes kChildChannel; -1: none
};

// What ends a child before it has done its work.
struct ProcessLimits {
  double seconds = 0;              // 0: none
  std::uint64_t memory_bytes = 0;  // 0: none; what it really holds, looked at 50 times a second
  std::stop_token stop{};
  bool heed_interrupt = true;  // also the flag of base/interrupt.h
};

struct ProcessEnd {
  int exit_code = 0;                 // -1 when a signal ended it
  int signal = 0;                    // 0 when it ended by itself
  std::uint64_t peak_rss_bytes = 0;  // exact above our own size, else sampled
  double seconds = 0;                // from start to end
};

// "ended with exit code 3", "was killed by signal 11 (Segmentation fault)".
std::string describe(const ProcessEnd& end);
// The same with the last line of `output` that is not blank: "…; its last line was: …".
std::string describe(const ProcessEnd& end, std::string_view output);

class Process {
 public:
  // A program that cannot be started is an Error of the environment: "…: cannot start it (No such file or directory)".
  static Result<Process> start(const SpawnOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  // Kills the whole group when the child still runs.
  ~Process();

  pid_t id() const { return id_; }
  // Looks without reaping: as long as the child is a zombie, its id and group cannot pass to somebody else.
  bool has_ended() const;
  // Waits for the end; whoever is left of the group goes with it. May be asked again.
  const ProcessEnd& wait();
  // Looks at the peak of its memory, which is not known any more when it has ended.
  void sample_memory();
  // Asks the whole group to end, and kills it after `patience`.
  const ProcessEnd& stop(std::chrono::milliseconds patience);

  // For whoever waits for the child, to be called every few milliseconds. When a limit is passed, the group is stopped and the
  // Error says why: "<who> did not <what> within 60 seconds and was stopped"; kInterrupted for the stop token. The time
  // counts from `since`.
  Status watch(const ProcessLimits& limits, std::string_view who, std::string_view what, std::chrono::steady_clock::time_point since);

 private:
  explicit Process(pid_t id);
  pid_t id_;  // -1: its end is known
  ProcessEnd end_;
  std::chrono::steady_clock::time_point start_, next_sample_;
  std::uint64_t own_rss_ = 0, sampled_rss_ = 0;
};

// The file of the running program.
Path own_executable();

}  // namespace fastvlm
