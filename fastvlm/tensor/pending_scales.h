// Scales that were made with the codes of quantised numbers, until they are written themselves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace fastvlm {

// Scales of rows whose codes were made and whose scales nobody has asked for yet. Room is taken at the first row and given back
// when all rows were asked for; what comes later is made anew.
class PendingScales {
 public:
  PendingScales(std::int64_t rows, std::int64_t blocks) : rows_(rows), blocks_(blocks) {}

  void put(std::int64_t begin, std::span<const float> scales) {
    std::lock_guard lock(mutex_);
    if (asked_ >= rows_) return;
    if (scales_.empty()) scales_.resize(static_cast<std::size_t>(rows_ * blocks_)), there_.assign(static_cast<std::size_t>(rows_), false);
    std::ranges::copy(scales, scales_.begin() + begin * blocks_);
    std::fill_n(there_.begin() + begin, static_cast<std::int64_t>(scales.size()) / blocks_, true);
  }

  bool take(std::int64_t begin, std::int64_t end, std::span<float> out) {
    std::lock_guard lock(mutex_);
    const bool found = !scales_.empty() && std::find(there_.begin() + begin, there_.begin() + end, false) == there_.begin() + end;
    if (found) std::copy(scales_.begin() + begin * blocks_, scales_.begin() + end * blocks_, out.begin());
    asked_ += end - begin;
    if (asked_ >= rows_) scales_ = {}, there_ = {};
    return found;
  }

 private:
  const std::int64_t rows_, blocks_;
  std::mutex mutex_;
  std::vector<float> scales_;
  std::vector<bool> there_;
  std::int64_t asked_ = 0;
};

}  // namespace fastvlm
