#include "fastvlm/quant/ranges.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// Of IEEE 754, as stored: 0 for zero and what is smaller than 2^-126, 255 for what is not finite.
constexpr int kExponentBias = 127, kNotFinite = 255;
int stored_exponent(float number) { return static_cast<int>(std::bit_cast<std::uint32_t>(number) >> 23 & 0xFF); }

std::size_t bin_of(int stored_exponent) {
  return static_cast<std::size_t>(std::clamp(stored_exponent - kExponentBias - kFirstBinExponent, 0, kHistogramBins - 1));
}

bool moves_only(std::string_view op) {
  static constexpr std::string_view kMoving[] = {"Reshape",   "Transpose", "Split",  "Concat",   "Slice",  "Squeeze",
                                                 "Unsqueeze", "Flatten",   "Expand", "Identity", "Gather", "Cast"};
  return std::ranges::find(kMoving, op) != std::end(kMoving);
}

Status check_parts(const SeenParts& mine, const SeenParts& other) {
  if (mine.of != other.of) return bad_input("the same pictures in {} parts, and in {} before", other.of, mine.of);
  for (const std::uint64_t part : other.parts)
    if (mine.parts.contains(part)) return bad_input("part {} of {} is there twice", part, mine.of);
  return {};
}

}  // namespace

float ValueRange::absmax() const { return std::max(std::abs(min), std::abs(max)); }

// A quarter of the time of calibrating passes here, and twice that before: locals, and no calls.
void ValueRange::observe(std::span<const float> numbers) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  float least = count == 0 ? kInfinity : min, most = count == 0 ? -kInfinity : max;
  std::uint64_t finite = 0;
  SquareSum squares = square_sum;
  for (const float number : numbers) {
    const int exponent = stored_exponent(number);
    if (exponent == kNotFinite) continue;
    const float unsigned_zero = number + 0.0F;  // -0 becomes 0: of two equal numbers the order would choose
    least = std::min(least, unsigned_zero);
    most = std::max(most, unsigned_zero);
    ++finite;
    squares.add(number);
    if (number != 0) ++histogram[bin_of(exponent)];
  }
  not_finite += numbers.size() - finite;
  count += finite;
  square_sum = squares;
  if (count > 0) min = least, max = most;
}

void ValueRange::observe_channels(std::span<const float> numbers, std::int64_t channels, std::int64_t inner) {
  FASTVLM_ASSERT(channels > 0 && inner > 0, "channels with numbers");
  if (channel_square_sums.empty()) channel_square_sums.resize(static_cast<std::size_t>(channels));
  FASTVLM_ASSERT(static_cast<std::int64_t>(channel_square_sums.size()) == channels, "as many channels as before");
  for (std::size_t i = 0; i < numbers.size(); ++i)
    if (std::isfinite(numbers[i])) channel_square_sums[i / static_cast<std::size_t>(inner) % channel_square_sums.size()].add(numbers[i]);
}

void ValueRange::merge(const ValueRange& other) {
  if (other.count > 0) {
    min = count == 0 ? other.min : std::min(min, other.min);
    max = count == 0 ? other.max : std::max(max, other.max);
  }
  count += other.count;
  not_finite += other.not_finite;
  square_sum.merge(other.square_sum);
  for (std::size_t i = 0; i < histogram.size(); ++i) histogram[i] += other.histogram[i];
  if (channel_square_sums.empty()) channel_square_sums.resize(other.channel_square_sums.size());
  for (std::size_t i = 0; i < other.channel_square_sums.size(); ++i) channel_square_sums[i].merge(other.channel_square_sums[i]);
}

const ValueRange* Ranges::find(std::string_view key) const {
  auto at = values.find(std::string(key));
  return at == values.end() ? nullptr : &at->second;
}

Status Ranges::merge(const Ranges& other) {
  if (model != other.model) return bad_input("these are ranges of another model ({}, expected {})", other.model, model);
  for (const auto& [key, range] : other.values) {
    const ValueRange* mine = find(key);
    if (mine != nullptr && !mine->channel_square_sums.empty() && !range.channel_square_sums.empty() &&
        mine->channel_square_sums.size() != range.channel_square_sums.size())
      return bad_input("\"{}\" has {} channels in one set of ranges and {} in the other", key, mine->channel_square_sums.size(),
                       range.channel_square_sums.size());
  }
  for (const auto& [set, parts] : other.seen)
    if (const auto mine = seen.find(set); mine != seen.end()) TRY(check_parts(mine->second, parts));
  for (const auto& [set, parts] : other.seen) {
    SeenParts& mine = seen.try_emplace(set, SeenParts{.of = parts.of, .parts = {}}).first->second;
    mine.parts.insert(parts.parts.begin(), parts.parts.end());
    if (mine.whole()) mine = SeenParts();
  }
  pictures += other.pictures;
  prompts += other.prompts;
  tokens += other.tokens;
  for (const auto& [key, range] : other.values) values[key].merge(range);
  return {};
}

std::optional<std::string> range_key(std::string_view op, std::string_view value) {
  if (moves_only(op) && !is_given_name(value)) return std::nullopt;
  // A product with weights in blocks is the same number as that with floats.
  constexpr std::string_view kInBlocks = "MatMulNBits:0";
  if (op == "MatMulNBits" && value.ends_with(kInBlocks)) return std::string(value.substr(0, value.size() - kInBlocks.size())) + "MatMul:0";
  return std::string(value);
}

void widen(std::optional<Extremes>& known, const Extremes& more) {
  if (known)
    known = Extremes{std::min(known->min, more.min), std::max(known->max, more.max)};
  else
    known = more;
}

std::vector<std::optional<Extremes>> extremes_of(const Graph& graph, const Ranges& ranges) {
  std::vector<std::optional<Extremes>> known(graph.values().size());
  const auto look_up = [&](int value, const std::string& key) {
    if (const ValueRange* range = ranges.find(key); range != nullptr && range->count > 0)
      known[static_cast<std::size_t>(value)] = Extremes{range->min, range->max};
  };
  for (int input : graph.inputs()) look_up(input, graph.value(input).name);
  for (const Node& node : graph.nodes())
    for (int output : node.outputs) {
      const auto key = range_key(node.op, graph.value(output).name);
      if (key) look_up(output, *key);
      if (known[static_cast<std::size_t>(output)] || !moves_only(node.op)) continue;
      for (int input : node.inputs)
        if (input >= 0 && known[static_cast<std::size_t>(input)])
          widen(known[static_cast<std::size_t>(output)], *known[static_cast<std::size_t>(input)]);
    }
  return known;
}

}  // namespace fastvlm
