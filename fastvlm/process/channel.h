// Messages between two processes: a JSON header and any number of byte strings.
//
// On the wire (both sides are the same program on the same machine, so numbers are as they lie in memory): uint64 length of
// the header, uint64 number of parts, a uint64 length for each part; the header; the parts one behind the other.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/process/spawn.h"

namespace fastvlm {

struct Message {
  Json header = Json::object();
  std::vector<std::vector<std::byte>> parts{};
};

using Bytes = std::span<const std::byte>;

// One end of a stream to another process. Closing it tells the other side that we are gone.
class Channel {
 public:
  // A channel with both ends: ours, and the descriptor to hand to the child.
  static Result<std::pair<Channel, Descriptor>> make();
  explicit Channel(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  // Called about 50 times a second while the other side makes us wait; its Error ends the waiting.
  void set_watch(std::function<Status()> watch) { watch_ = std::move(watch); }

  // Errors: what the watch said; that the other side is gone (is_closed() then); for receive() also a message that makes no
  // sense. After an error the channel is of no more use.
  Status send(const Json& header, std::span<const Bytes> parts = {});
  Result<Message> receive();
  bool is_closed() const { return closed_; }

 private:
  Status send_bytes(Bytes bytes);
  Status receive_bytes(std::span<std::byte> bytes);
  Status receive_grown(std::vector<std::byte>& bytes, std::uint64_t size);
  Status wait_for(short events);
  Error gone();
  Descriptor descriptor_;
  std::function<Status()> watch_{};
  bool closed_ = false;
};

}  // namespace fastvlm
