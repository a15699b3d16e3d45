#include <algorithm>
#include <limits>

#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/try.h"
#include "fastvlm/quant/range_line.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxRangesBytes = std::size_t{256} << 20;
constexpr std::size_t kMaxChannels = std::size_t{1} << 24;
constexpr std::int64_t kMaxParts = 1 << 20;
constexpr double kMaxFloat = std::numeric_limits<float>::max();
constexpr std::string_view kValuesBegin = "\n \"values\": {";
constexpr std::string_view kValuesEnd = "\n }\n}\n";

OrderedJson to_json(const ValueRange& range) {
  OrderedJson json = {{"min", range.min},
                      {"max", range.max},
                      {"count", range.count},
                      {"not_finite", range.not_finite},
                      {"square_sum", range.square_sum.text()},
                      {"histogram", range.histogram}};
  for (const SquareSum& sum : range.channel_square_sums) json["channel_square_sums"].push_back(sum.text());
  return json;
}

OrderedJson to_json(const std::map<std::string, SeenParts>& seen) {
  OrderedJson json = OrderedJson::object();
  for (const auto& [set, parts] : seen) json[set] = {{"of", parts.of}, {"parts", parts.parts}};
  return json;
}

std::uint64_t count_in(const ObjectReader& reader, const char* key) {
  return static_cast<std::uint64_t>(reader.integer(key, 0, kMaxRangeCount));
}

SquareSum square_sum(const ObjectReader& reader, const std::string& text) {
  const auto sum = SquareSum::parse(text);
  if (!sum) reader.refuse("\"{}\" is no sum of squares; expected is one such as \"1f.8000000000000\"", text);
  return sum.value_or(SquareSum());
}

SeenParts seen_parts(const ObjectReader& reader) {
  SeenParts seen{.of = static_cast<std::uint64_t>(reader.integer("of", 1, kMaxParts)), .parts = {}};
  for (const std::int64_t part : reader.integers("parts", 1, kMaxParts)) {
    if (static_cast<std::uint64_t>(part) > seen.of) reader.refuse("part {} of {}", part, seen.of);
    if (!seen.parts.insert(static_cast<std::uint64_t>(part)).second) reader.refuse("part {} is there twice", part);
  }
  return seen;
}

ValueRange value_range(const ObjectReader& reader) {
  ValueRange range{.min = static_cast<float>(reader.number("min", -kMaxFloat, kMaxFloat)),
                   .max = static_cast<float>(reader.number("max", -kMaxFloat, kMaxFloat)),
                   .count = count_in(reader, "count"),
                   .not_finite = count_in(reader, "not_finite"),
                   .square_sum = square_sum(reader, reader.text("square_sum"))};
  const std::vector<std::int64_t> bins = reader.integers("histogram", 0, kMaxRangeCount);
  if (bins.size() == range.histogram.size())
    std::ranges::transform(bins, range.histogram.begin(), [](std::int64_t bin) { return static_cast<std::uint64_t>(bin); });
  else
    reader.refuse("the key \"histogram\" must have {} numbers, but has {}", kHistogramBins, bins.size());
  if (const auto contradiction = contradiction_in(range)) reader.refuse("{}", *contradiction);
  if (reader.has("channel_square_sums")) {
    const std::vector<std::string> sums = reader.texts("channel_square_sums");
    if (sums.size() > kMaxChannels) reader.refuse("{} channels are too many", sums.size());
    for (const std::string& sum : sums)
      if (!reader.failed()) range.channel_square_sums.push_back(square_sum(reader, sum));
  }
  return range;
}

Result<Ranges> parse_as_json(std::string_view text, const std::string& what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  std::optional<Error> problem;
  const ObjectReader reader(json, what, problem);
  const std::string format = reader.text("format");
  if (!problem && format != kRangesFormat) return bad_input("{}: no file of ranges (\"format\" is \"{}\")", what, format);
  const std::int64_t version = reader.integer("version", 0, kMaxRangeCount);
  if (!problem && version != kRangesVersion)
    return bad_input("{}: version {} of the format; this program reads version {}, calibrate again", what, version, kRangesVersion);
  Ranges ranges{.model = reader.text("model"),
                .pictures = count_in(reader, "pictures"),
                .prompts = count_in(reader, "prompts"),
                .tokens = count_in(reader, "tokens")};
  const ObjectReader seen = reader.object("seen");
  seen.members([&](const std::string& set, const Json& parts) {
    ranges.seen.emplace(set, seen_parts(ObjectReader(parts, fmt::format("{}: seen: \"{}\"", what, set), problem)));
  });
  const ObjectReader values = reader.object("values");
  values.members([&](const std::string& key, const Json& value) {
    if (key.empty()) values.refuse("a value without a name");
    ranges.values.emplace(key, value_range(ObjectReader(value, fmt::format("{}: values: \"{}\"", what, key), problem)));
  });
  if (problem) return *std::move(problem);
  return ranges;
}

// What ranges_text() writes; nothing for any other text, good or bad.
std::optional<Ranges> parse_own_form(std::string_view text) {
  const std::size_t begin = text.find(kValuesBegin);
  if (begin == std::string_view::npos || !text.ends_with(kValuesEnd)) return std::nullopt;
  Result<Ranges> ranges = parse_as_json(std::string(text.substr(0, begin)).append(kValuesBegin).append(kValuesEnd), "");
  if (!ranges.ok()) return std::nullopt;
  text.remove_suffix(kValuesEnd.size());
  text.remove_prefix(std::min(begin + kValuesBegin.size(), text.size()));
  while (!text.empty()) {
    if (!text.starts_with('\n')) return std::nullopt;
    const std::size_t end = std::min(text.find('\n', 1), text.size());
    std::string_view line = text.substr(1, end - 1);
    text.remove_prefix(end);
    if (!text.empty() && !line.ends_with(',')) return std::nullopt;
    if (!text.empty()) line.remove_suffix(1);
    std::optional<RangeLine> read = read_range_line(line);
    if (!read || (!ranges->values.empty() && ranges->values.rbegin()->first >= read->key)) return std::nullopt;
    ranges->values.emplace_hint(ranges->values.end(), read->key, std::move(read->range));
  }
  return *std::move(ranges);
}

}  // namespace

Result<Ranges> parse_ranges(std::string_view text, const std::string& what) {
  if (std::optional<Ranges> ranges = parse_own_form(text)) return *std::move(ranges);
  return parse_as_json(text, what);
}

Result<Ranges> read_ranges(const Path& path) {
  TRY_ASSIGN(const std::string text, read_file(path, kMaxRangesBytes));
  return parse_ranges(text, path.string());
}

// One line for each value, so that a reader finds it.
std::string ranges_text(const Ranges& ranges) {
  std::string text = fmt::format("{{\n \"format\": {},\n \"version\": {},\n \"model\": {},\n", OrderedJson(kRangesFormat).dump(),
                                 kRangesVersion, OrderedJson(ranges.model).dump());
  text += fmt::format(" \"pictures\": {},\n \"prompts\": {},\n \"tokens\": {},\n", ranges.pictures, ranges.prompts, ranges.tokens);
  text += fmt::format(" \"seen\": {},{}", to_json(ranges.seen).dump(), kValuesBegin);
  const char* separator = "\n";
  for (const auto& [key, range] : ranges.values) {
    text += fmt::format("{}  {}: {}", separator, OrderedJson(key).dump(), to_json(range).dump());
    separator = ",\n";
  }
  return text.append(kValuesEnd);
}

Status write_ranges(const Path& path, const Ranges& ranges) { return write_file_atomically(path, ranges_text(ranges)); }

}  // namespace fastvlm
