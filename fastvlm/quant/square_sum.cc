#include "fastvlm/quant/square_sum.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace fastvlm {
namespace {

constexpr int kFractionBits = 52;
constexpr std::size_t kFractionDigits = kFractionBits / 4;
constexpr std::size_t kMostDigits = 32;  // of 128 bits
constexpr std::uint64_t kFull = std::numeric_limits<std::uint64_t>::max();
constexpr double kTwo64 = 0x1p64;

std::optional<std::uint64_t> hexadecimal(std::string_view digits) {
  if (digits.empty()) return 0;
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

void SquareSum::add(float number) {
  const double units = std::nearbyint(static_cast<double>(number) * number * 0x1p52);  // the square of a float is exact
  SquareSum one;
  if (units < kTwo64) {
    one.low_ = static_cast<std::uint64_t>(units);
  } else if (units < kTwo64 * kTwo64) {
    // A number from 2^64 on has no bits below 2^11 that the division could lose.
    const double high = std::floor(units / kTwo64);
    one.high_ = static_cast<std::uint64_t>(high);
    one.low_ = static_cast<std::uint64_t>(units - high * kTwo64);
  } else {
    one.high_ = one.low_ = kFull;
  }
  merge(one);
}

void SquareSum::merge(SquareSum other) {
  const std::uint64_t low = low_ + other.low_, carry = low < low_ ? 1 : 0;
  const std::uint64_t high = high_ + other.high_;
  const bool wraps = high < high_ || (carry == 1 && high == kFull);
  low_ = wraps ? kFull : low;
  high_ = wraps ? kFull : high + carry;
}

double SquareSum::value() const { return std::ldexp(static_cast<double>(high_) * kTwo64 + static_cast<double>(low_), -kFractionBits); }

std::string SquareSum::text() const {
  std::string digits = high_ == 0 ? fmt::format("{:x}", low_) : fmt::format("{:x}{:016x}", high_, low_);
  if (digits.size() <= kFractionDigits) digits.insert(0, kFractionDigits + 1 - digits.size(), '0');
  return digits.insert(digits.size() - kFractionDigits, 1, '.');
}

std::optional<SquareSum> SquareSum::parse(std::string_view text) {
  if (text.size() < kFractionDigits + 2 || text[text.size() - kFractionDigits - 1] != '.') return std::nullopt;
  std::string digits(text);
  digits.erase(digits.size() - kFractionDigits - 1, 1);
  if (digits.size() > kMostDigits) return std::nullopt;
  const std::size_t low_digits = std::min(digits.size(), std::size_t{16});
  const auto low = hexadecimal(std::string_view(digits).substr(digits.size() - low_digits));
  const auto high = hexadecimal(std::string_view(digits).substr(0, digits.size() - low_digits));
  if (!low || !high) return std::nullopt;
  SquareSum sum;
  sum.low_ = *low;
  sum.high_ = *high;
  if (sum.text() != text) return std::nullopt;  // one way to write a number
  return sum;
}

}  // namespace fastvlm
