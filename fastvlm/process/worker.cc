#include "fastvlm/process/worker.h"

#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <new>

#include "fastvlm/base/model_error.h"

namespace fastvlm {
namespace {

Result<Message> answer_of(const RequestHandler& handler, Message request) {
  try {
    return handler(std::move(request));
  } catch (const ModelError& error) {
    return bad_input("{}", error.what());
  } catch (const std::bad_alloc&) {
    return bad_environment("out of memory; close other programs or take a smaller model");
  } catch (const std::exception& error) {
    return bad_environment("{}", error.what());
  }
}

}  // namespace

std::optional<int> serve_worker(int argc, char* const* argv, std::span<const Worker> workers) {
  if (argc != 2) return std::nullopt;
  const auto row = std::find_if(workers.begin(), workers.end(), [&](const Worker& worker) { return worker.name == argv[1]; });
  if (row == workers.end()) return std::nullopt;
  // Not for the children that a vendor library may start.
  if (::fcntl(kChildChannel, F_SETFD, FD_CLOEXEC) != 0) {
    std::fprintf(stderr, "%s: only the program itself starts this\n", argv[1]);
    return static_cast<int>(ErrorKind::kUsage);
  }
  Channel channel{Descriptor(kChildChannel)};
  const RequestHandler handler = row->make();
  while (true) {
    auto request = channel.receive();
    if (!request.ok()) return channel.is_closed() ? 0 : static_cast<int>(ErrorKind::kEnvironment);
    const auto answer = answer_of(handler, *std::move(request));
    const std::vector<Bytes> parts = answer.ok() ? std::vector<Bytes>(answer->parts.begin(), answer->parts.end()) : std::vector<Bytes>();
    const Status sent = channel.send(answer.ok() ? answer->header : Json{{"error", error_to_json(answer.error())}}, parts);
    if (!sent.ok()) return 0;
  }
}

}  // namespace fastvlm
