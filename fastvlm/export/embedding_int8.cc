#include "fastvlm/export/embedding_int8.h"

#include <bit>
#include <cmath>
#include <limits>
#include <mutex>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kBlockElements = std::int64_t{1} << 20;

// The largest magnitude; the bit patterns of non-negative floats order like the floats.
Result<float> largest_magnitude(const Weight& table, const WriteOptions& options) {
  const std::int64_t step = std::max<std::int64_t>(1, kBlockElements / table.row_size());
  const auto blocks = static_cast<std::size_t>((table.row_count() + step - 1) / step);
  std::mutex mutex;
  std::uint32_t largest = 0;
  TRY(parallel_for(blocks, options.threads, [&](std::size_t i) -> Status {
    TRY(check_interrupt(options.stop));
    const auto begin = static_cast<std::int64_t>(i) * step, end = std::min(begin + step, table.row_count());
    thread_local std::vector<float> values;
    values.resize(static_cast<std::size_t>((end - begin) * table.row_size()));
    TRY(table.read_rows(begin, end, values));
    std::uint32_t mine = 0;
    for (float value : values) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFFu;
      mine = std::max(mine, bits < 0x7F800000u ? bits : 0u);
    }
    std::lock_guard lock(mutex);
    largest = std::max(largest, mine);
    return {};
  }));
  return std::bit_cast<float>(largest);
}

Power quantise(std::span<const float> values, double scale, std::span<std::byte> out) {
  // Adding and taking away 1.5 * 2^52 rounds to the nearest even integer. In float32 the quotient itself would be rounded
  // first, and some numbers near a half would go to the wrong side.
  constexpr double kRound = 6755399441055744.0;
  // Four sums side by side: the order of adding is fixed, and the loop vectorises.
  constexpr std::size_t kLanes = 4;
  double signal[kLanes] = {}, noise[kLanes] = {};
  auto one = [&](std::size_t i, std::size_t lane) {
    const double x = std::abs(values[i]) <= std::numeric_limits<float>::max() ? double{values[i]} : 0.0;
    const double q = std::min(127.0, std::max(-127.0, (x / scale + kRound) - kRound));
    out[i] = static_cast<std::byte>(static_cast<std::int32_t>(q));
    const double error = x - q * scale;
    signal[lane] += x * x;
    noise[lane] += error * error;
  };
  std::size_t i = 0;
  for (; i + kLanes <= values.size(); i += kLanes)
    for (std::size_t lane = 0; lane < kLanes; ++lane) one(i + lane, lane);
  for (; i < values.size(); ++i) one(i, 0);
  return {.signal = (signal[0] + signal[1]) + (signal[2] + signal[3]), .noise = (noise[0] + noise[1]) + (noise[2] + noise[3])};
}

}  // namespace

Result<Int8Table> write_int8_table(const WeightPtr& table, const Path& path, const WriteOptions& options, Progress& progress) {
  TRY_ASSIGN(float largest, largest_magnitude(*table, options));
  Int8Table result;
  // A table of zeros has no scale; one keeps the file readable.
  result.scale = largest > 0 ? double{largest} / 127 : 1;
  const auto code = [&](std::span<const float> numbers, std::span<std::byte> out) { return quantise(numbers, result.scale, out); };
  TRY_ASSIGN(CodedTable coded, write_coded_table(table, {.code = code}, path, options, progress));
  result.file = std::move(coded.file), result.sqnr_db = coded.sqnr_db;
  return result;
}

}  // namespace fastvlm
