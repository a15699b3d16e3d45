#include "fastvlm/base/progress.h"

namespace fastvlm {

void Progress::start(std::string stage, std::uint64_t total, bool bytes) {
  std::lock_guard lock(mutex_);
  stage_ = std::move(stage);
  total_ = total;
  done_ = 0;
  bytes_ = bytes;
  if (listener_) listener_({.stage = stage_, .done = 0, .total = total_, .bytes = bytes_});
}

void Progress::advance(std::uint64_t amount) {
  std::lock_guard lock(mutex_);
  done_ += amount;
  if (listener_) listener_({.stage = stage_, .done = done_, .total = total_, .bytes = bytes_});
}

}  // namespace fastvlm
