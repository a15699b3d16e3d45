// How fast an export could run at best on a chip: no measurement, but what follows from bytes, multiplications and published peaks.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/targets/target.h"

namespace fastvlm {

// A static graph with the bytes of its weights as an NPU keeps them: floats in half precision, integers as they are stored.
struct GraphWork {
  GraphEntry graph;
  std::uint64_t weight_bytes = 0;
  std::uint64_t spill_fill_bytes = 0;  // memory for what does not fit into the NPU's; a compiled context tells it, 0 before
};

// One picture, or one run of all decoder graphs of one recipe and length.
struct RunWork {
  std::string what;        // "picture of 1024 pixels", "1 token, fp16"
  std::string unit;        // "pictures", "tokens"
  std::int64_t units = 1;  // of one run
  std::uint64_t weight_bytes = 0;
  std::uint64_t spill_fill_bytes = 0;
  std::int64_t macs = 0;
};

// What may stay on the chip from run to run: more than the memory of the NPU (8 MiB where it is known) and the system cache together.
inline constexpr std::uint64_t kKeptBytes = std::uint64_t{32} << 20;

// The parts of a decoder together; fused graphs are left out.
std::vector<RunWork> runs_of(std::span<const GraphWork> graphs);

// The shortest time that a run can take, in seconds; nothing where no published figure bounds it. Weights are read from memory once,
// what is spilled is written and read back once, all but kKeptBytes of it; and every multiplication is done at the peak rate.
std::optional<double> least_seconds(const Chip& chip, const RunWork& run);

// {target, memory_bytes_per_second, macs_per_second, source, kept_bytes, runs: [{run, weight_bytes, spill_fill_bytes, macs, least_seconds,
// most_per_second, unit}]}; null where no figure is known, and where all of it may stay on the chip (kept_bytes).
OrderedJson speed_bound_json(const Chip& chip, std::span<const RunWork> runs);

}  // namespace fastvlm
