// Files of ranges, as calibrate writes them.
#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"
#include "fastvlm/quant/merge_ranges.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm::inspecting {
namespace {

constexpr std::size_t kShownValues = 10;

using NamedRange = std::pair<std::string, ValueRange>;

// What was infinite or NaN comes first, then the largest.
std::vector<NamedRange> by_size(const Ranges& ranges) {
  std::vector<NamedRange> rows(ranges.values.begin(), ranges.values.end());
  std::ranges::stable_sort(rows, [](const NamedRange& a, const NamedRange& b) {
    const bool a_lost = a.second.not_finite > 0, b_lost = b.second.not_finite > 0;
    return a_lost != b_lost ? a_lost : a.second.absmax() > b.second.absmax();
  });
  return rows;
}

OrderedJson row_json(const NamedRange& row) {
  const auto& [name, range] = row;
  return {
      {"name", name},         {"absmax", range.absmax()},      {"min", range.min}, {"max", range.max}, {"mean_square", range.mean_square()},
      {"count", range.count}, {"not_finite", range.not_finite}};
}

std::vector<std::string> findings_of(const Ranges& ranges) {
  const auto with = [&](auto is_so) { return std::ranges::count_if(ranges.values, [&](const auto& row) { return is_so(row.second); }); };
  std::vector<std::string> findings;
  if (const auto parts = parts_of(ranges))
    findings.push_back(
        fmt::format("this is {} of the pictures; `merge` puts all parts together, and before that no export takes it", *parts));
  if (const auto lost = with([](const ValueRange& range) { return range.not_finite > 0; }); lost > 0)
    findings.push_back(fmt::format("{} of the values had NaN or infinite numbers on the CPU", lost));
  if (const auto large = with([](const ValueRange& range) { return range.absmax() > kLargestHalf; }); large > 0)
    findings.push_back(fmt::format("{} of the values pass {}, where half precision ends; plan --calibration says what would be scaled",
                                   large, kLargestHalf));
  return findings;
}

}  // namespace

bool looks_like_ranges(const Path& path, std::string_view head) {
  return path.extension() == ".fvc" || head.find(OrderedJson(kRangesFormat).dump()) != std::string_view::npos;
}

Status add_ranges(const InspectOptions& options, InspectReport& report) {
  TRY_ASSIGN(const Ranges ranges, read_ranges(options.path));
  report.facts["kind"] = "ranges";
  OrderedJson shown = OrderedJson::array();
  for (const NamedRange& row : by_size(ranges)) {
    if (!options.tensors && shown.size() == kShownValues) break;
    shown.push_back(row_json(row));
  }
  const auto channels = std::ranges::count_if(ranges.values, [](const auto& row) { return !row.second.channel_square_sums.empty(); });
  report.facts["ranges"] = {{"model", ranges.model},      {"pictures", ranges.pictures},    {"prompts", ranges.prompts},
                            {"tokens", ranges.tokens},    {"values", ranges.values.size()}, {"values_with_channels", channels},
                            {"largest", std::move(shown)}};
  if (const auto parts = parts_of(ranges)) report.facts["ranges"]["parts"] = *parts;
  if (auto findings = findings_of(ranges); !findings.empty()) report.facts["findings"] = std::move(findings);
  return {};
}

}  // namespace fastvlm::inspecting
