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
constexpr std::size_t kMostDigits = 32;    // of 128 bits
constexpr std::size_t kDigitsOfWord = 16;  // of 64 bits
constexpr std::uint64_t kFull = std::numeric_limits<std::uint64_t>::max();
constexpr double kTwo64 = 0x1p64;

// At most 16 digits, as fmt writes them: no capital letters.
std::optional<std::uint64_t> hexadecimal(std::string_view digits) {
  if (digits.empty()) return 0;
  if (std::ranges::any_of(digits, [](char digit) { return digit >= 'A' && digit <= 'F'; })) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (failure != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

}  // namespace

void SquareSum::add_large(double square) {
  const double units = std::nearbyint(square * 0x1p52);
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
  const std::size_t point = text.find('.');
  if (point == 0 || point > kMostDigits - kFractionDigits || text.size() - point != kFractionDigits + 1) return std::nullopt;
  if (point > 1 && text.front() == '0') return std::nullopt;  // one way to write a number
  const std::size_t top_digits = point > kDigitsOfWord ? point - kDigitsOfWord : 0;
  const auto top = hexadecimal(text.substr(0, top_digits)), whole = hexadecimal(text.substr(top_digits, point - top_digits)),
             fraction = hexadecimal(text.substr(point + 1));
  if (!top || !whole || !fraction) return std::nullopt;
  SquareSum sum;
  sum.high_ = *top << kFractionBits | *whole >> (64 - kFractionBits);
  sum.low_ = *whole << kFractionBits | *fraction;
  return sum;
}

}  // namespace fastvlm
