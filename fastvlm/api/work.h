// How long work is run: watched, stopped, on how many threads. Every long function of the library takes one of these.
#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
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
  // Asked to stop, the call ends soon with an Error of kind kInterrupted, and what it was writing is gone.
  std::stop_token stop = {};
};

}  // namespace fastvlm::api
