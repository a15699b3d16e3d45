// The small ONNX file around a QNN context (`*_ctx.onnx`): one EPContext node that names the graph and the binary.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

struct ContextWrapper {
  Path file;
  std::string partition_name;  // the graph of the context that this wrapper runs
  std::string source;          // "QNNExecutionProvider"
  std::string ep_sdk_version;  // build id of the compiler: "v2.51.0.260929181845"
  bool main_context = false;
  bool embed_mode = false;                // the context stands inside the wrapper
  Path context_file;                      // the binary, resolved beside the wrapper; empty when embedded
  std::uint64_t context_bytes = 0;        // of the binary, or of the embedded context
  std::int64_t max_size = 0;              // spill-fill bytes that the plug-in noted, 0: none
  std::optional<std::int64_t> soc_model;  // from the plug-in's compatibility note; newer wrappers have it
  std::vector<OnnxValue> inputs;
  std::vector<OnnxValue> outputs;
  std::size_t node_count = 0;  // 1, or more when the edges carry Q/DQ or Cast nodes
};

// Reads a wrapper and checks that it has exactly one EPContext node of QNN, that its edges fit the graph's inputs and outputs,
// and that the binary lies beside it. The binary itself is not read (context_info.h).
Result<ContextWrapper> read_context_wrapper(const Path& onnx);

// The same for a model already read; `folder` is where the binary must lie.
Result<ContextWrapper> context_wrapper_of(const OnnxModel& model, const Path& onnx);

// Whether a model is such a wrapper at all: it has an EPContext node.
bool is_context_wrapper(const OnnxModel& model);

}  // namespace fastvlm
