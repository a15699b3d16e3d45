#include "fastvlm/base/shard.h"

#include <charconv>

namespace fastvlm {
namespace {

// 0 when it is no number from 1 to kMaxShards.
std::size_t number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && number <= kMaxShards ? number : 0;
}

}  // namespace

Result<Shard> parse_shard(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) {
    const Shard shard{.index = number_of(text.substr(0, slash)), .count = number_of(text.substr(slash + 1))};
    if (shard.index >= 1 && shard.index <= shard.count) return shard;
  }
  return bad_option("shard", "{}: expected i/n, such as 2/7, with i from 1 to n and n up to {}", text, kMaxShards);
}

std::string to_string(const Shard& shard) { return fmt::format("{}/{}", shard.index, shard.count); }

}  // namespace fastvlm
