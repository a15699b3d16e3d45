// The kinds of things that inspect knows, one function each. `facts` holds path and kind already.
#pragma once

#include <string_view>
#include <vector>

#include "fastvlm/bundle/manifest.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/inspect/inspect.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/targets/compiled_context.h"

namespace fastvlm::inspecting {

Status add_checkpoint(const InspectOptions& options, InspectReport& report);
// The problem is what export would refuse.
Status add_adapter(const InspectOptions& options, InspectReport& report);
Status add_layout_folder(const InspectOptions& options, InspectReport& report);
// By its name or its first bytes.
bool looks_like_ranges(const Path& path, std::string_view head);
// The largest values; all of them with `tensors`.
Status add_ranges(const InspectOptions& options, InspectReport& report);
// By its name. How many tensors are stored how.
bool looks_like_encodings(const Path& path, std::string_view head);
Status add_encodings(const InspectOptions& options, InspectReport& report);
Status add_safetensors(const InspectOptions& options, InspectReport& report);
Status add_output_folder(const InspectOptions& options, InspectReport& report);
Status add_onnx(const OnnxModel& model, const InspectOptions& options, InspectReport& report);
Status add_context_wrapper(const ContextFormat& format, const OnnxModel& model, const InspectOptions& options, InspectReport& report);
// When the vendor's reader is missing, the problem says how to get it.
Status add_context(const ContextFormat& format, const InspectOptions& options, InspectReport& report);

// Adds a row to "qnn_graphs": the operators of the NPU that the graph of this wrapper became, as compile noted them beside it; with
// `tensors` also which ONNX node became which. Nothing where there is no such report.
Status add_npu_operators(const ContextFormat& format, const Path& wrapper, const InspectOptions& options, OrderedJson& facts);
// The wrappers beside a context binary that name it.
std::vector<Path> wrappers_of(const ContextFormat& format, const Path& context);
// "soc_model", and for a chip of our table "soc" and "htp_arch".
void add_soc(std::int64_t soc_model, OrderedJson& facts);

// Adds "speed_bounds": a row for each of these chips, for these graphs of an output folder. Nothing where a graph is not there.
struct SpeedBoundOf {
  std::vector<std::string> chips;
  std::vector<std::string> graphs;                             // empty: all static ones
  std::map<std::string, std::uint64_t> spill_fill_bytes = {};  // of these graphs, where a context tells it
};
void add_speed_bounds(const Path& folder, const Manifest& manifest, const SpeedBoundOf& of, OrderedJson& facts);

// {"name", "bytes", "sha256"}: the hash when the file is small or hashes are wanted.
Result<OrderedJson> file_json(const Path& path, const std::string& name, bool hashes);

}  // namespace fastvlm::inspecting
