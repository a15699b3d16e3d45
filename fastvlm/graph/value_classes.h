// Classes of a graph's values that belong together, because they must have one scale or one encoding (union-find).
#pragma once

#include <cstddef>
#include <vector>

namespace fastvlm {

class ValueClasses {
 public:
  // Each of so many values is in a class of its own.
  explicit ValueClasses(std::size_t values);

  // The value that stands for the class: its first one.
  int of(int value) const;
  void unite(int a, int b);

 private:
  std::vector<int> parent_;  // never above the value itself
};

}  // namespace fastvlm
