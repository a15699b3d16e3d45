#include "fastvlm/tensor/channel_quantise.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr float kLargestCode = 127;
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

class ChannelQuantiser {
 public:
  explicit ChannelQuantiser(WeightPtr weight) : weight_(std::move(weight)) {}

  Status scales(std::vector<float>& out) {
    std::lock_guard lock(mutex_);
    if (scales_.empty()) TRY(make_scales());
    out = scales_;
    return {};
  }

  Status codes(std::int64_t begin, std::int64_t end, std::span<std::byte> out) {
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
    return {};
  }

 private:
  Status make_scales() {
    const WeightPtr channels = weight_->is_transposed() ? weight_->transposed() : weight_;
    const std::int64_t count = channels->row_count(), width = channels->row_size();
    const std::int64_t step = std::max<std::int64_t>(1, kPieceNumbers / std::max<std::int64_t>(1, width));
    std::vector<float> made, rows;
    for (std::int64_t begin = 0; begin < count; begin += step) {
      const std::int64_t end = std::min(count, begin + step);
      rows.resize(static_cast<std::size_t>((end - begin) * width));
      TRY(channels->read_rows(begin, end, rows));
      for (std::int64_t i = 0; i < end - begin; ++i)
        made.push_back(
            channel_scale(std::span<const float>(rows).subspan(static_cast<std::size_t>(i * width), static_cast<std::size_t>(width))));
    }
    scales_ = std::move(made);
    return {};
  }

  const WeightPtr weight_;
  std::mutex mutex_;
  std::vector<float> scales_;
};

}  // namespace

ChannelWeight quantised_by_channel(const WeightPtr& weight) {
  auto quantiser = std::make_shared<ChannelQuantiser>(weight);
  const std::int64_t channels = weight->is_transposed() ? weight->row_size() : weight->row_count();
  const std::string done = fmt::format("{}{}int8 by channel", weight->done(), weight->done().empty() ? "" : ", ");
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

}  // namespace fastvlm
