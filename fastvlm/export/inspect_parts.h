// The kinds of things that inspect knows, one function each. `facts` holds path and kind already.
#pragma once

#include <string_view>

#include "fastvlm/export/inspect.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm::inspecting {

Status add_checkpoint(const InspectOptions& options, InspectReport& report);
Status add_safetensors(const InspectOptions& options, InspectReport& report);
Status add_output_folder(const InspectOptions& options, InspectReport& report);
Status add_onnx(const OnnxModel& model, const InspectOptions& options, InspectReport& report);
Status add_context_wrapper(const OnnxModel& model, const InspectOptions& options, InspectReport& report);
// When QnnSystem is missing, the problem says how to get it.
Status add_context(const InspectOptions& options, InspectReport& report);

// {"name", "bytes", "sha256"}: the hash when the file is small or hashes are wanted.
Result<OrderedJson> file_json(const Path& path, const std::string& name, bool hashes);
OrderedJson dims_json(const Dims& dims);

}  // namespace fastvlm::inspecting
