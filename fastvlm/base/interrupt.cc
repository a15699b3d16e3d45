#include "fastvlm/base/interrupt.h"

#include <atomic>

namespace fastvlm {
namespace {
std::atomic<bool> interrupt_requested{false};
}

void request_interrupt() noexcept { interrupt_requested.store(true, std::memory_order_relaxed); }
void clear_interrupt() noexcept { interrupt_requested.store(false, std::memory_order_relaxed); }
bool interrupted() noexcept { return interrupt_requested.load(std::memory_order_relaxed); }

Status check_interrupt() {
  if (interrupted()) return Error{ErrorKind::kInterrupted, "interrupted; nothing was changed"};
  return {};
}

Status check_interrupt(const std::stop_token& stop) {
  if (stop.stop_requested()) return Error{ErrorKind::kInterrupted, "stopped, because other work failed"};
  return check_interrupt();
}

}  // namespace fastvlm
