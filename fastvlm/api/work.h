// How long work is run: watched, on how many threads. Every long function of the library takes one of these.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace fastvlm::api {

struct ProgressStep {
  std::string stage;        // "writing", "compiling sm8750"
  std::uint64_t done = 0;   // of `total` units
  std::uint64_t total = 0;  // 0: not known
  bool bytes = false;       // the units are bytes
};

struct Work {
  std::function<void(const ProgressStep&)> on_progress = nullptr;  // from any thread, one call at a time
  unsigned threads = 0;                                            // 0: one for each core
};

}  // namespace fastvlm::api
