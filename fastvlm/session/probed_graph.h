// A graph of the folder, changed for comparisons: with intermediate values as outputs, or for another picture size.
#pragma once

#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// A graph with probes that stays has this behind its name.
inline constexpr const char* kProbedEnd = "_probed";

// Opens `model` with these values as further outputs. The changed model lies in a temporary folder, with links to its weights, for
// as long as the runner lives; nothing is written beside the original.
Result<std::unique_ptr<Runner>> open_probed(const Path& model, std::span<const std::string> values, const OpenGraph& open);

// The same for `bytes`, another model that became of `model` and names the same weights.
Result<std::unique_ptr<Runner>> open_changed(const Path& model, const std::string& bytes, const OpenGraph& open);

// Writes `model` with these values as further outputs to <folder>/<name>.onnx, with links to its weights beside it.
struct ProbedFile {
  Path folder;
  std::string name;
};
Status write_probed(const Path& model, std::span<const std::string> values, const ProbedFile& file);
// The same with `bytes`, which became of `model`.
Status write_changed(const Path& model, const std::string& bytes, const ProbedFile& file);

// Opens the plain picture encoder for pictures of another size, likewise.
Result<std::unique_ptr<Runner>> open_at_picture_size(const Path& encoder, std::int64_t size, const OpenGraph& open);

// Outputs of nodes in topological order. Those of modules carry the module's own name; others have a ':' in it.
std::vector<std::string> module_values(const OnnxModel& model);
std::vector<std::string> float_values(const OnnxModel& model);

// The value that leaves the module: the output of the last node whose name begins with "<module>/", or the value of that name.
std::optional<std::string> module_output(const OnnxModel& model, const std::string& module);

}  // namespace fastvlm
