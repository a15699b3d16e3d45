// A sum of squares that is the same whatever the order of its numbers, so that parts of a calibration add up to the whole bit by
// bit: an integer of 128 bits in units of 2^-52.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fastvlm {

class SquareSum {
 public:
  // `number` is finite. Its square is rounded to a multiple of 2^-52; the sum stays at its largest value, 2^76, when it gets there.
  void add(float number) {
    const double square = static_cast<double>(number) * number;  // exact
    if (square >= kSmall) return add_large(square);
    const double units = square * 0x1p52;
    // From 2^52 on a double is an integer; below, this sum is rounded to one, to even where it lies between two.
    const double whole = units < 0x1p52 ? (units + 0x1p52) - 0x1p52 : units;
    const std::uint64_t low = low_ + static_cast<std::uint64_t>(static_cast<std::int64_t>(whole));
    if (low < low_) return add_large(square);  // a carry
    low_ = low;
  }
  void merge(SquareSum other);
  double value() const;

  // "1f.8000000000000": the integer part in hexadecimal, a point, and 13 digits. Nothing for any other text.
  std::string text() const;
  static std::optional<SquareSum> parse(std::string_view text);

  bool operator==(const SquareSum&) const = default;

 private:
  static constexpr double kSmall = 0x1p11;  // in units it is 2^63
  void add_large(double square);
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace fastvlm
