#include "fastvlm/process/channel.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kMaxHeaderBytes = std::uint64_t{64} << 20;
constexpr std::uint64_t kMaxParts = 1 << 16;
constexpr std::uint64_t kMaxPartBytes = std::uint64_t{8} << 30;
// A length that is not true must not cost more memory than the bytes that follow it.
constexpr std::uint64_t kGrowBytes = std::uint64_t{64} << 20;
constexpr int kWatchPause = 20;  // milliseconds

}  // namespace

Result<std::pair<Channel, Descriptor>> Channel::make() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return bad_environment("cannot make a channel to a child process ({})", std::strerror(errno));
  return std::pair(Channel(Descriptor(ends[0])), Descriptor(ends[1]));
}

Status Channel::send(const Json& header, std::span<const Bytes> parts) {
  const std::string text = header.dump(-1, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
  std::vector<std::uint64_t> sizes = {text.size(), parts.size()};
  for (const Bytes& part : parts) sizes.push_back(part.size());
  TRY(send_bytes(std::as_bytes(std::span(sizes))));
  TRY(send_bytes(as_bytes(text)));
  for (const Bytes& part : parts) TRY(send_bytes(part));
  return {};
}

Result<Message> Channel::receive() {
  std::array<std::uint64_t, 2> head;
  TRY(receive_bytes(std::as_writable_bytes(std::span(head))));
  if (head[0] > kMaxHeaderBytes || head[1] > kMaxParts)
    return bad_environment("the message makes no sense (a header of {} bytes, {} parts)", head[0], head[1]);
  std::vector<std::uint64_t> sizes(head[1]);
  TRY(receive_bytes(std::as_writable_bytes(std::span(sizes))));
  for (const std::uint64_t size : sizes)
    if (size > kMaxPartBytes) return bad_environment("the message makes no sense (a part of {} bytes)", size);
  std::vector<std::byte> text;
  TRY(receive_grown(text, head[0]));
  Message message;
  auto header = parse_json({reinterpret_cast<const char*>(text.data()), text.size()}, "its header");
  if (!header.ok()) return bad_environment("the message makes no sense ({})", header.error().message);
  message.header = *std::move(header);
  if (!message.header.is_object()) return bad_environment("the message makes no sense (its header is no object)");
  for (const std::uint64_t size : sizes) TRY(receive_grown(message.parts.emplace_back(), size));
  return message;
}

Error Channel::gone() {
  closed_ = true;
  return bad_environment("the other process is gone");
}

// Blocks until something can be done; with a watch, looks in between.
Status Channel::wait_for(short events) {
  pollfd event{.fd = descriptor_.get(), .events = events, .revents = 0};
  while (true) {
    const int ready = ::poll(&event, 1, watch_ ? kWatchPause : -1);
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return gone();
    if (watch_) TRY(watch_());
  }
}

Status Channel::send_bytes(Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::send(descriptor_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN)
      TRY(wait_for(POLLOUT));
    else if (put <= 0)
      return gone();
    else
      bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return {};
}

Status Channel::receive_bytes(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t got = ::recv(descriptor_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN)
      TRY(wait_for(POLLIN));
    else if (got <= 0)
      return gone();
    else
      bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return {};
}

Status Channel::receive_grown(std::vector<std::byte>& bytes, std::uint64_t size) {
  while (bytes.size() < size) {
    const std::size_t have = bytes.size();
    bytes.resize(std::min(size, have + kGrowBytes));
    TRY(receive_bytes(std::span(bytes).subspan(have)));
  }
  return {};
}

}  // namespace fastvlm
