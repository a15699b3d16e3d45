#include "fastvlm/tensor/channel_quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <mutex>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/decibels.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr float kLargestCode = 127;
constexpr double kFactorCodes = 2048;  // 11 bits
constexpr std::int64_t kPieceNumbers = std::int64_t{1} << 20;

float channel_scale(std::span<const float> row) {
  float largest = 0;
  for (float value : row)
    if (std::isfinite(value)) largest = std::max(largest, std::fabs(value));
  return largest == 0 ? 1 : largest / kLargestCode;
}

std::byte code_of(float value, float scale) {
  if (std::isnan(value)) return std::byte{0};
  const float code = std::clamp(std::nearbyint(value / scale), -kLargestCode, kLargestCode);
  return static_cast<std::byte>(static_cast<std::int8_t>(code));
}

// Calls take(numbers) for each row.
template <class Take>
Status each_channel(const Weight& weight, const Take& take) {
  const auto width = static_cast<std::size_t>(weight.row_size());
  const std::int64_t step = std::max<std::int64_t>(1, kPieceNumbers / std::max<std::int64_t>(1, weight.row_size()));
  std::vector<float> rows;
  for (std::int64_t begin = 0; begin < weight.row_count(); begin += step) {
    const std::int64_t end = std::min(weight.row_count(), begin + step);
    rows.resize(static_cast<std::size_t>(end - begin) * width);
    TRY(weight.read_rows(begin, end, rows));
    for (std::int64_t i = 0; i < end - begin; ++i) take(std::span<const float>(rows).subspan(static_cast<std::size_t>(i) * width, width));
  }
  return {};
}

class ChannelQuantiser {
 public:
  ChannelQuantiser(WeightPtr weight, ScaleRule rule) : weight_(std::move(weight)), rule_(std::move(rule)) {}

  Status scales(std::vector<float>& out) {
    std::lock_guard lock(mutex_);
    if (scales_.empty()) TRY(make_scales());
    out = scales_;
    return {};
  }

  Result<CastLosses> codes(std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
    thread_local std::vector<float> rows;
    std::vector<float> scale;
    TRY(scales(scale));
    const std::int64_t width = weight_->row_size();
    rows.resize(static_cast<std::size_t>((end - begin) * width));
    TRY(weight_->read_rows(begin, end, rows));
    for (std::int64_t i = 0; i < end - begin; ++i)
      for (std::int64_t j = 0; j < width; ++j) {
        const auto at = static_cast<std::size_t>(i * width + j);
        out[at] = code_of(rows[at], scale[static_cast<std::size_t>(weight_->is_transposed() ? j : begin + i)]);
      }
    return count_not_finite(rows);
  }

 private:
  Status make_scales() {
    const WeightPtr channels = weight_->is_transposed() ? weight_->transposed() : weight_;
    std::vector<float> made;
    TRY(each_channel(*channels, [&](std::span<const float> numbers) { made.push_back(channel_scale(numbers)); }));
    for (std::size_t i = 0; i < made.size(); ++i) made[i] = rule_.applied(made[i], i);
    scales_ = std::move(made);
    return {};
  }

  const WeightPtr weight_;
  const ScaleRule rule_;
  std::mutex mutex_;
  std::vector<float> scales_;
};

std::string said(const Weight& weight, const ScaleRule& rule) {
  std::string text = fmt::format("{}{}int8 by channel", weight.done(), weight.done().empty() ? "" : ", ");
  if (rule.factor > 0) text += fmt::format(", 11 bits beside {:a}", rule.factor);
  const auto count = std::ranges::count_if(rule.least, [](float scale) { return scale > 0; });
  if (count == 0) return text;
  std::uint64_t hash = 14695981039346656037U;  // FNV-1a: other scales are other codes
  for (const float scale : rule.least) hash = (hash ^ std::bit_cast<std::uint32_t>(scale)) * 1099511628211U;
  return text + fmt::format(", {} scales raised ({:016x})", count, hash);
}

float number_of(std::byte code, float scale) { return static_cast<float>(static_cast<std::int8_t>(code)) * scale; }

}  // namespace

float raised(float scale, double factor) {
  if (!(factor > 0) || !std::isfinite(scale)) return scale;
  int exponent = 0;
  const double mantissa = std::frexp(scale * factor, &exponent);
  // A hair below: the product of a float that was raised before must not be raised again.
  return static_cast<float>(std::ldexp(std::ceil(mantissa * kFactorCodes - 1e-3), exponent) / kFactorCodes / factor);
}

float ScaleRule::applied(float scale, std::size_t channel) const {
  return raised(least.empty() ? scale : std::max(scale, least[channel]), factor);
}

ChannelWeight quantised_by_channel(const WeightPtr& weight, ScaleRule rule) {
  const std::string done = said(*weight, rule);
  auto quantiser = std::make_shared<ChannelQuantiser>(weight, std::move(rule));
  const std::int64_t channels = weight->is_transposed() ? weight->row_size() : weight->row_count();
  auto codes = std::make_shared<PackedSource>();
  codes->rows = weight->row_count(), codes->row_bytes = weight->row_size();
  codes->read = [quantiser](std::int64_t begin, std::int64_t end, std::span<std::byte> out) { return quantiser->codes(begin, end, out); };
  auto make = [quantiser]() -> Result<std::vector<float>> {
    std::vector<float> scales;
    TRY(quantiser->scales(scales));
    return scales;
  };
  return {.codes = Weight::packed(weight->shape(), std::move(codes), weight->from(), done),
          .scales = Weight::computed({channels}, make, weight->from(), done + ", scales")};
}

WeightPtr remainder_of_channels(const WeightPtr& weight, ScaleRule rule) {
  FASTVLM_ASSERT(!weight->is_transposed(), "rows are the channels");
  const std::string done = said(*weight, rule) + ", what that leaves";
  auto quantiser = std::make_shared<ChannelQuantiser>(weight, std::move(rule));
  auto source = std::make_shared<MatrixSource>();
  source->rows = weight->row_count(), source->columns = weight->row_size();
  source->read = [weight, quantiser](std::int64_t row_begin, std::int64_t row_end, std::int64_t column_begin, std::int64_t column_end,
                                     std::span<float> out) -> Status {
    const std::int64_t width = weight->row_size();
    std::vector<float> scales, row(static_cast<std::size_t>(width));
    TRY(quantiser->scales(scales));
    auto next = out.begin();
    for (std::int64_t i = row_begin; i < row_end; ++i) {
      TRY(weight->read_rows(i, i + 1, row));
      const float scale = scales[static_cast<std::size_t>(i)];
      for (std::int64_t j = column_begin; j < column_end; ++j) {
        const float value = row[static_cast<std::size_t>(j)];
        *next++ = value - number_of(code_of(value, scale), scale);
      }
    }
    return {};
  };
  return Weight::of_source(weight->shape(), std::move(source), weight->from(), done);
}

Result<ChannelFacts> channel_facts(const WeightPtr& weight) {
  FASTVLM_ASSERT(!weight->is_transposed(), "rows are the channels");
  ChannelFacts facts;
  double signal = 0, noise = 0;
  TRY(each_channel(*weight, [&](std::span<const float> numbers) {
    const float scale = channel_scale(numbers);
    double sum = 0;
    for (const float value : numbers) {
      const double error = double{value} - number_of(code_of(value, scale), scale);
      signal += double{value} * value, noise += error * error, sum += std::fabs(value);
    }
    facts.scales.push_back(scale);
    facts.largest_sum = std::max(facts.largest_sum, static_cast<float>(sum));
  }));
  facts.snr_db = decibels(signal, noise);
  return facts;
}

}  // namespace fastvlm
