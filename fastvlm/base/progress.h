// Progress of long work, told through a callback so that the library never prints.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

namespace fastvlm {

// What a listener hears: the stage, and how many of how many units (bytes, steps) are done. total 0: not known.
struct ProgressEvent {
  std::string_view stage;
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  bool bytes = false;
};

// Safe from several threads; the listener is called under a lock.
class Progress {
 public:
  using Listener = std::function<void(const ProgressEvent&)>;
  Progress() = default;
  explicit Progress(Listener listener) : listener_(std::move(listener)) {}

  void start(std::string stage, std::uint64_t total, bool bytes = false);
  void advance(std::uint64_t amount);

 private:
  Listener listener_;
  std::mutex mutex_;
  std::string stage_;
  std::uint64_t done_ = 0;
  std::uint64_t total_ = 0;
  bool bytes_ = false;
};

}  // namespace fastvlm
