// Ranges: what the values of the graphs for an NPU were seen to be, by meaning. The file is JSON and mergeable: two sets about
// the same model add up.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/quant/square_sum.h"

namespace fastvlm {

inline constexpr const char* kRangesFormat = "fastvlm-npu ranges";
inline constexpr int kRangesVersion = 2;

// Bin k counts numbers whose size is in [2^(k-32), 2^(k-31)); the first also smaller ones, the last also larger ones. Zeros are
// in none. Bins that do not depend on the data can be added.
inline constexpr int kHistogramBins = 64;
inline constexpr int kFirstBinExponent = -32;

// What one value was seen to be.
struct ValueRange {
  float min = 0;  // of the finite numbers
  float max = 0;
  std::uint64_t count = 0;       // of the finite numbers
  std::uint64_t not_finite = 0;  // numbers that were NaN or infinite
  SquareSum square_sum;
  std::array<std::uint64_t, kHistogramBins> histogram = {};
  std::vector<SquareSum> channel_square_sums;  // where asked for: one for each channel

  float absmax() const;
  double mean_square() const { return count == 0 ? 0 : square_sum.value() / static_cast<double>(count); }
  void observe(std::span<const float> numbers);
  // The channel of a number is (its index / inner) % channels.
  void observe_channels(std::span<const float> numbers, std::int64_t channels, std::int64_t inner);
  void merge(const ValueRange& other);
  bool operator==(const ValueRange&) const = default;
};

// Which parts of a set of pictures and questions were seen. A whole set is one part of one.
struct SeenParts {
  std::uint64_t of = 1;
  std::set<std::uint64_t> parts = {1};  // from 1 to `of`

  bool whole() const { return parts.size() == of; }
  bool operator==(const SeenParts&) const = default;
};

struct Ranges {
  std::string model;           // names the weights that the graphs had; see export/model_identity.h
  std::uint64_t pictures = 0;  // that were seen
  std::uint64_t prompts = 0;
  std::uint64_t tokens = 0;                  // that the decoder took
  std::map<std::string, SeenParts> seen;     // by the name of the set: see calibration_set()
  std::map<std::string, ValueRange> values;  // by range_key()

  // nullptr: never seen.
  const ValueRange* find(std::string_view key) const;
  // The same bits in any order. An Error when the other set is about another model, has other channels, or holds a part that is in
  // this one already.
  Status merge(const Ranges& other);
  bool operator==(const Ranges&) const = default;
};

// Strict: every number is there and in its bounds. Errors name the file, the place and what was expected.
Result<Ranges> read_ranges(const Path& path);
// The same from the text of a file that is called `what` in messages.
Result<Ranges> parse_ranges(std::string_view text, const std::string& what);
std::string ranges_text(const Ranges& ranges);
Status write_ranges(const Path& path, const Ranges& ranges);

// What a value of a static graph is called in every graph of the model, for all prompt lengths and picture sizes: its own name.
// Nothing for what only moves numbers (Reshape, Transpose, Split, …): how often they occur depends on the length, and their
// range is that of what they move.
std::optional<std::string> range_key(std::string_view op, std::string_view value);

// Least and largest number of a value.
struct Extremes {
  float min = 0;
  float max = 0;
  bool operator==(const Extremes&) const = default;
};
void widen(std::optional<Extremes>& known, const Extremes& more);
// One entry for each value of an expanded graph, moved values and constants' users included; nothing where no range is known.
std::vector<std::optional<Extremes>> extremes_of(const Graph& graph, const Ranges& ranges);

}  // namespace fastvlm
