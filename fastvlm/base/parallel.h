// Work on many independent pieces with a few threads, and different jobs beside each other.
#pragma once

#include <atomic>
#include <cstddef>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <vector>

#include "fastvlm/base/interrupt.h"
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
  const std::stop_token stop = current_stop();
  for (unsigned i = 1; i < threads && i < count; ++i)
    helpers.emplace_back([&] {
      const StopScope scope(stop);
      run();
    });
  run();
  helpers.clear();
  return outcome;
}

// Different jobs beside each other, each in a thread of its own. The first that fails asks the others to stop.
class Jobs {
 public:
  Jobs() = default;
  Jobs(const Jobs&) = delete;
  Jobs& operator=(const Jobs&) = delete;
  ~Jobs() { stop_.request_stop(); }

  // For the jobs to look at, with check_interrupt().
  std::stop_token stop() const { return stop_.get_token(); }

  void start(std::function<Status()> job) {
    threads_.emplace_back([this, job = std::move(job), stop = current_stop()] {
      const StopScope scope(stop);
      try {
        if (Status status = job(); !status.ok()) fail(std::move(status), nullptr);
      } catch (...) {
        fail({}, std::current_exception());
      }
    });
  }
  // Waits for all; returns the first error, or throws the first exception again.
  Status join() {
    threads_.clear();
    if (exception_) std::rethrow_exception(exception_);
    return std::move(outcome_);
  }

 private:
  void fail(Status status, std::exception_ptr exception) {
    std::lock_guard lock(mutex_);
    if (stop_.stop_requested()) return;
    outcome_ = std::move(status);
    exception_ = std::move(exception);
    stop_.request_stop();
  }
  std::stop_source stop_;
  std::mutex mutex_;
  Status outcome_;
  std::exception_ptr exception_;
  std::vector<std::jthread> threads_;  // last, so that they end before what they use
};

}  // namespace fastvlm
