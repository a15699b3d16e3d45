#include "fastvlm/graph/value_classes.h"

#include <algorithm>
#include <numeric>

namespace fastvlm {

ValueClasses::ValueClasses(std::size_t values) : parent_(values) { std::iota(parent_.begin(), parent_.end(), 0); }

int ValueClasses::of(int value) const {
  while (parent_[static_cast<std::size_t>(value)] != value) value = parent_[static_cast<std::size_t>(value)];
  return value;
}

void ValueClasses::unite(int a, int b) {
  const int first = std::min(of(a), of(b));
  for (int value : {a, b})
    // All on the way point at the first one, so that ways stay short.
    while (value != first) {
      int& parent = parent_[static_cast<std::size_t>(value)];
      const int above = parent;
      parent = first;
      if (above == value) break;
      value = above;
    }
}

}  // namespace fastvlm
