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
  void add(float number);
  void merge(SquareSum other);
  double value() const;

  // "1f.8000000000000": the integer part in hexadecimal, a point, and 13 digits. Nothing for any other text.
  std::string text() const;
  static std::optional<SquareSum> parse(std::string_view text);

  bool operator==(const SquareSum&) const = default;

 private:
  std::uint64_t high_ = 0;
  std::uint64_t low_ = 0;
};

}  // namespace fastvlm
