// --shard i/n: which part of many inputs this machine does.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

// Part `index` of `count`, from 1. The whole is 1 of 1.
struct Shard {
  std::size_t index = 1;
  std::size_t count = 1;

  // The inputs of this part: [begin, end) of `total`, one behind the other, their numbers differing by one at most.
  std::size_t begin(std::size_t total) const { return cut(total, index - 1); }
  std::size_t end(std::size_t total) const { return cut(total, index); }
  bool is_whole() const { return count == 1; }
  bool operator==(const Shard&) const = default;

 private:
  std::size_t cut(std::size_t total, std::size_t parts) const { return total / count * parts + total % count * parts / count; }
};

inline constexpr std::size_t kMaxShards = 100'000;

// "2/7". 1 <= i <= n <= kMaxShards; anything else is an Error about the option `shard`.
Result<Shard> parse_shard(std::string_view text);
// The same back.
std::string to_string(const Shard& shard);

}  // namespace fastvlm
