#include "fastvlm/quant/range_line.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace fastvlm {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

// Takes one piece after the other; after the first that is not there everything is empty.
class LineReader {
 public:
  explicit LineReader(std::string_view line) : rest_(line) {}

  bool failed() const { return failed_; }
  bool at_end() const { return !failed_ && rest_.empty(); }
  bool next_is(char letter) const { return !failed_ && rest_.starts_with(letter); }

  void take(std::string_view expected) {
    if (!failed_ && rest_.starts_with(expected))
      rest_.remove_prefix(expected.size());
    else
      failed_ = true;
  }

  // Between quotes; without escapes and what JSON would want to be escaped or checked.
  std::string_view text() {
    take("\"");
    const auto end = std::ranges::find_if(rest_, [](char c) { return c == '"' || c == '\\' || c < ' ' || c > '~'; });
    const std::string_view found = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(found.size());
    take("\"");
    return failed_ ? std::string_view() : found;
  }

  std::uint64_t count() {
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    const auto length = static_cast<std::size_t>(end - rest_.data());
    const bool zero_first = length > 1 && rest_.front() == '0';
    if (error != std::errc() || zero_first || number > static_cast<std::uint64_t>(kMaxRangeCount)) failed_ = true;
    rest_.remove_prefix(length);
    return number;
  }

  // With a point or an exponent, as numbers that are no integers are written.
  float number() {
    double number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    const std::string_view digits = rest_.substr(0, static_cast<std::size_t>(end - rest_.data()));
    if (error != std::errc() || !is_json_fraction(digits) || std::abs(number) > std::numeric_limits<float>::max()) failed_ = true;
    rest_.remove_prefix(digits.size());
    return failed_ ? 0 : static_cast<float>(number);
  }

  SquareSum square_sum() {
    const std::optional<SquareSum> sum = SquareSum::parse(text());
    if (!sum) failed_ = true;
    return sum.value_or(SquareSum());
  }

 private:
  // from_chars() also takes "inf", "01.5", ".5" and "1.".
  static bool is_json_fraction(std::string_view digits) {
    const std::string_view magnitude = digits.substr(digits.starts_with('-') ? 1 : 0);
    if (magnitude.empty() || !is_digit(magnitude.front())) return false;
    if (magnitude.size() > 1 && magnitude[0] == '0' && is_digit(magnitude[1])) return false;
    const std::size_t point = magnitude.find('.');
    if (point == std::string_view::npos) return magnitude.find_first_of("eE") != std::string_view::npos;
    return point + 1 < magnitude.size() && is_digit(magnitude[point + 1]);
  }

  std::string_view rest_;
  bool failed_ = false;
};

void read_histogram(LineReader& line, ValueRange& range) {
  const char* before = "[";
  for (std::uint64_t& bin : range.histogram) {
    line.take(before);
    bin = line.count();
    before = ",";
  }
  line.take("]");
}

void read_channels(LineReader& line, ValueRange& range) {
  line.take(",\"channel_square_sums\":[");
  while (!line.failed()) {
    range.channel_square_sums.push_back(line.square_sum());
    if (!line.next_is(',')) break;
    line.take(",");
  }
  line.take("]");
}

}  // namespace

std::optional<std::string> contradiction_in(const ValueRange& range) {
  std::uint64_t counted = 0;
  for (const std::uint64_t bin : range.histogram) counted = std::min(counted + bin, range.count + 1);  // before the sum can wrap round
  if (range.min > range.max) return fmt::format("min {} is above max {}", range.min, range.max);
  if (counted > range.count) return fmt::format("the histogram counts more numbers than there were ({})", range.count);
  if (range.count == 0 && (range.min != 0 || range.max != 0)) return "no number was seen, but there is a range";
  return std::nullopt;
}

std::optional<RangeLine> read_range_line(std::string_view line) {
  LineReader reader(line);
  RangeLine read;
  reader.take("  ");
  read.key = reader.text();
  reader.take(": {\"min\":");
  read.range.min = reader.number();
  reader.take(",\"max\":");
  read.range.max = reader.number();
  reader.take(",\"count\":");
  read.range.count = reader.count();
  reader.take(",\"not_finite\":");
  read.range.not_finite = reader.count();
  reader.take(",\"square_sum\":");
  read.range.square_sum = reader.square_sum();
  reader.take(",\"histogram\":");
  read_histogram(reader, read.range);
  if (reader.next_is(',')) read_channels(reader, read.range);
  reader.take("}");
  if (!reader.at_end() || read.key.empty() || contradiction_in(read.range)) return std::nullopt;
  return read;
}

}  // namespace fastvlm
