// Work on many independent pieces with a few threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "fastvlm/base/result.h"

namespace fastvlm {

// Calls work(0) … work(count-1) from `threads` threads (0: one per core). The first error stops the hand-out of further
// pieces and is returned. What a piece writes must not depend on the order.
inline Status parallel_for(std::size_t count, unsigned threads, const std::function<Status(std::size_t)>& work) {
  if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
  std::atomic<std::size_t> next{0};
  std::atomic<bool> failed{false};
  std::mutex mutex;
  Status outcome;
  auto run = [&] {
    for (std::size_t i = next++; i < count && !failed; i = next++) {
      Status status = work(i);
      if (status.ok()) continue;
      std::lock_guard lock(mutex);
      if (!failed.exchange(true)) outcome = std::move(status);
    }
  };
  std::vector<std::jthread> helpers;
  for (unsigned i = 1; i < threads && i < count; ++i) helpers.emplace_back(run);
  run();
  helpers.clear();
  return outcome;
}

}  // namespace fastvlm
