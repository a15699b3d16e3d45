// One value of a file of ranges, read from its line without a JSON parser: a thousand shards are merged in seconds.
#pragma once

#include <optional>
#include <string_view>

#include "fastvlm/quant/ranges.h"

namespace fastvlm {

inline constexpr std::int64_t kMaxRangeCount = INT64_MAX / 4;  // of one file; the sum of two still fits

// Why these numbers cannot be those of one value; nothing when they can.
std::optional<std::string> contradiction_in(const ValueRange& range);

struct RangeLine {
  std::string_view key;  // lives as long as the line
  ValueRange range;
};

// A line as ranges_text() writes it, without the comma behind it. Nothing for any other: it may be good JSON all the same.
std::optional<RangeLine> read_range_line(std::string_view line);

}  // namespace fastvlm
