// Stopping: long work looks between two pieces whether the stop token of its thread was asked to stop.
#pragma once

#include <stop_token>

#include "fastvlm/base/result.h"

namespace fastvlm {

// As long as it lives, the work of this thread heeds `token`, and so does that of the threads of base/parallel.h which are started
// meanwhile. Without one, work cannot be stopped.
class StopScope {
 public:
  explicit StopScope(std::stop_token token);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  std::stop_token before_;
};

// The token of this thread.
const std::stop_token& current_stop() noexcept;

// Whether the work of this thread was asked to stop.
bool interrupted() noexcept;

// An Error of kind kInterrupted once it was, or once `stop` was.
Status check_interrupt();
Status check_interrupt(const std::stop_token& stop);

}  // namespace fastvlm
