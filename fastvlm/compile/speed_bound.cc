#include "fastvlm/compile/speed_bound.h"

#include <fmt/format.h>

#include <algorithm>

namespace fastvlm {

std::vector<RunWork> runs_of(std::span<const GraphWork> graphs) {
  std::vector<RunWork> runs;
  for (const GraphWork& work : graphs) {
    const GraphEntry& graph = work.graph;
    RunWork run;
    if (graph.role == GraphRole::kVision)
      run = {.what = fmt::format("picture of {} pixels", graph.extents.image_size), .unit = "pictures"};
    else if (graph.role == GraphRole::kDecoder)
      run = {.what = fmt::format("{} token{}, {}", graph.extents.new_tokens, graph.extents.new_tokens == 1 ? "" : "s", graph.recipe()),
             .unit = "tokens",
             .units = graph.extents.new_tokens};
    else
      continue;
    auto found = std::ranges::find(runs, run.what, &RunWork::what);
    if (found == runs.end()) found = runs.insert(runs.end(), std::move(run));
    found->weight_bytes += work.weight_bytes;
    found->spill_fill_bytes += work.spill_fill_bytes;
    found->macs += graph.macs;
  }
  return runs;
}

std::optional<double> least_seconds(const Chip& chip, const RunWork& run) {
  double seconds = 0;
  const std::uint64_t moved = run.weight_bytes + 2 * run.spill_fill_bytes;
  if (chip.memory_bytes_per_second > 0 && moved > kKeptBytes)
    seconds = static_cast<double>(moved - kKeptBytes) / chip.memory_bytes_per_second;
  if (chip.macs_per_second > 0) seconds = std::max(seconds, static_cast<double>(run.macs) / chip.macs_per_second);
  return seconds > 0 ? std::optional(seconds) : std::nullopt;
}

OrderedJson speed_bound_json(const Chip& chip, std::span<const RunWork> runs) {
  const auto known = [](auto value) { return value > 0 ? OrderedJson(value) : OrderedJson(); };
  OrderedJson rows = OrderedJson::array();
  for (const RunWork& run : runs) {
    const std::optional<double> seconds = least_seconds(chip, run);
    rows.push_back({{"run", run.what},
                    {"weight_bytes", run.weight_bytes},
                    {"spill_fill_bytes", run.spill_fill_bytes},
                    {"macs", known(run.macs)},
                    {"least_seconds", seconds ? OrderedJson(*seconds) : OrderedJson()},
                    {"most_per_second", seconds ? OrderedJson(static_cast<double>(run.units) / *seconds) : OrderedJson()},
                    {"unit", run.unit}});
  }
  return {{"target", chip.name},
          {"memory_bytes_per_second", known(chip.memory_bytes_per_second)},
          {"macs_per_second", known(chip.macs_per_second)},
          {"source", chip.speed_source.empty() ? OrderedJson() : OrderedJson(chip.speed_source)},
          {"kept_bytes", kKeptBytes},
          {"runs", rows}};
}

}  // namespace fastvlm
