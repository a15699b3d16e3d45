// What a calibration has seen so far, in a file beside its output: the same calibration goes on with it after an interruption.
#pragma once

#include <chrono>

#include "fastvlm/quant/ranges.h"

namespace fastvlm {

struct KeepOptions {
  Path file;        // empty: nothing is kept
  std::string how;  // names everything that numbers depend on beside the pictures and questions
  std::chrono::seconds every{10};
};

class KeptRanges {
 public:
  // `set` names the pictures and questions, of which `pictures` are seen in all.
  KeptRanges(KeepOptions options, std::string model, const std::string& set, std::size_t pictures);

  // How many pictures an earlier run has seen, whose ranges are then in `ranges`. A file about anything else counts as none.
  std::size_t take(Ranges& ranges);
  // Now and then, after each picture.
  Status keep(const Ranges& ranges, std::size_t seen);
  // An interruption says what the file has; every other error is as it was.
  Error with_what_is_kept(Error error) const;

 private:
  KeepOptions options_;
  std::string model_, key_;
  std::size_t pictures_;
  std::size_t kept_ = 0;  // pictures whose ranges the file has
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace fastvlm
