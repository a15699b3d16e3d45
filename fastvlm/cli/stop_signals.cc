#include "fastvlm/cli/stop_signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <list>

#include "fastvlm/base/error.h"

namespace fastvlm::cli {
namespace {

std::list<std::stop_source>& sources() {
  static std::list<std::stop_source> all;  // they stay: a handler may be looking at an old one
  return all;
}

std::atomic<std::stop_source*> current{nullptr};

// A request is atomic operations only as long as nobody registers a std::stop_callback with these tokens: our work polls.
void handle(int) {
  std::stop_source* source = current.load();
  if (source == nullptr || !source->request_stop()) ::_exit(static_cast<int>(ErrorKind::kInterrupted));
}

}  // namespace

std::stop_token renewed_stop() {
  std::stop_source& source = sources().emplace_back();
  current.store(&source);
  return source.get_token();
}

std::stop_token install_stop_signals() {
  std::stop_token token = renewed_stop();
  struct sigaction action = {};
  action.sa_handler = handle;  // without SA_RESTART: a blocked read returns
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  return token;
}

}  // namespace fastvlm::cli
