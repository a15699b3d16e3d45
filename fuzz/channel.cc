// Any bytes from the other process: one sentence about them or about the end of the stream, or a message that arrives as the same
// when it is sent on.
#include "fastvlm/process/channel.h"

#include <sys/socket.h>

#include "fastvlm/base/assert.h"

using namespace fastvlm;

namespace {

// What is sent must fit the buffer of the socket, for nobody reads meanwhile. Numbers become at most a few times as long.
constexpr std::size_t kMaxBytes = 16 << 10;

std::pair<Channel, Descriptor> ends() {
  auto made = Channel::make();
  FASTVLM_ASSERT(made.ok(), "a channel");
  return *std::move(made);
}

void check_same(const Message& message) {
  auto [receiver, descriptor] = ends();
  Channel sender(std::move(descriptor));
  const std::vector<Bytes> parts(message.parts.begin(), message.parts.end());
  FASTVLM_ASSERT(sender.send(message.header, parts).ok(), "it is sent");
  const auto again = receiver.receive();
  FASTVLM_ASSERT(again.ok() && again->header == message.header && again->parts == message.parts, "it arrives as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > kMaxBytes) return 0;
  auto [channel, descriptor] = ends();
  {
    const Descriptor other = std::move(descriptor);
    const auto put = size == 0 ? 0 : ::send(other.get(), data, size, MSG_NOSIGNAL);
    FASTVLM_ASSERT(put == static_cast<ssize_t>(size), "all bytes are on their way");
  }  // closed: the other side is gone
  while (true) {
    const auto message = channel.receive();
    if (message.ok()) {
      FASTVLM_ASSERT(message->header.is_object(), "a header");
      check_same(*message);
      continue;
    }
    const Error& error = message.error();
    FASTVLM_ASSERT(error.kind == ErrorKind::kEnvironment, "a fault of the other process");
    FASTVLM_ASSERT(channel.is_closed() || error.message.starts_with("the message makes no sense"), "a sentence");
    return 0;
  }
}
