#include "fastvlm/base/interrupt.h"

#include <utility>

namespace fastvlm {
namespace {

std::stop_token& token_of_thread() noexcept {
  thread_local std::stop_token token;
  return token;
}

}  // namespace

StopScope::StopScope(std::stop_token token) : before_(std::exchange(token_of_thread(), std::move(token))) {}
StopScope::~StopScope() { token_of_thread() = std::move(before_); }

const std::stop_token& current_stop() noexcept { return token_of_thread(); }
bool interrupted() noexcept { return token_of_thread().stop_requested(); }

Status check_interrupt() {
  if (interrupted()) return Error{ErrorKind::kInterrupted, "interrupted; nothing was changed"};
  return {};
}

Status check_interrupt(const std::stop_token& stop) {
  if (stop.stop_requested()) return Error{ErrorKind::kInterrupted, "stopped, because other work failed"};
  return check_interrupt();
}

}  // namespace fastvlm
