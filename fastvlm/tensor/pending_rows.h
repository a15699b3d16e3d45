// What was made with the codes of quantised numbers, scales and zero points, until it is written itself.
#pragma once

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

namespace fastvlm {

// Rows that were made and that nobody has asked for yet. Room is taken at the first row and given back when all rows were asked
// for; what comes later is made anew.
template <class T>
class PendingRows {
 public:
  PendingRows(std::int64_t rows, std::int64_t width) : rows_(rows), width_(width) {}

  void put(std::int64_t begin, std::span<const T> made) {
    std::lock_guard lock(mutex_);
    if (asked_ >= rows_) return;
    if (made_.empty()) made_.resize(static_cast<std::size_t>(rows_ * width_)), there_.assign(static_cast<std::size_t>(rows_), false);
    std::ranges::copy(made, made_.begin() + begin * width_);
    std::fill_n(there_.begin() + begin, static_cast<std::int64_t>(made.size()) / width_, true);
  }

  bool take(std::int64_t begin, std::int64_t end, std::span<T> out) {
    std::lock_guard lock(mutex_);
    const bool found = !made_.empty() && std::find(there_.begin() + begin, there_.begin() + end, false) == there_.begin() + end;
    if (found) std::copy(made_.begin() + begin * width_, made_.begin() + end * width_, out.begin());
    asked_ += end - begin;
    if (asked_ >= rows_) made_ = {}, there_ = {};
    return found;
  }

 private:
  const std::int64_t rows_, width_;
  std::mutex mutex_;
  std::vector<T> made_;
  std::vector<bool> there_;
  std::int64_t asked_ = 0;
};

}  // namespace fastvlm
