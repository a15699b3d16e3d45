// What an NPU's compiler leaves in the folder of a chip, as its target reads it back: context binaries, the small ONNX files around
// them, and reports about the operators that the graphs became.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/targets/operator_report.h"

namespace fastvlm {

struct ContextTensor {
  std::string name;
  std::string dtype;  // "float16", "int32", "ufixed16" (quantized), "bool8"
  std::vector<std::uint32_t> shape;
  std::string quantization;  // "scale 0.001, zero point 32768"; empty for tensors that are not quantized

  bool operator==(const ContextTensor&) const = default;
};

// The numbers are those of the HTP backend; another backend, or an older context, gives fewer.
struct ContextGraph {
  std::string name;  // the partition_name of its ONNX wrapper
  std::vector<ContextTensor> inputs;
  std::vector<ContextTensor> outputs;
  std::optional<std::uint64_t> spill_fill_bytes;  // DDR for what did not fit in VTCM
  std::optional<std::uint64_t> vtcm_bytes;
  std::optional<std::uint64_t> optimization_level;

  bool operator==(const ContextGraph&) const = default;
};

// What a context binary says about itself.
struct ContextInfo {
  std::string file;
  std::uint64_t bytes = 0;
  std::string backend;   // "HTP", else its number
  std::string build_id;  // of the compiler: "v2.51.0.260929181845"
  std::string core_api;  // "2.40.0"
  std::string backend_api;
  std::string context_blob_version;
  std::uint64_t context_blob_bytes = 0;
  std::optional<std::uint64_t> soc_model;  // the vendor's number: 69 is SM8750
  std::optional<std::uint64_t> dsp_arch;   // 79 for v79
  std::vector<ContextGraph> graphs;

  // "2.51.0" out of the build id; the whole id when it looks different.
  std::string sdk_version() const;
  bool operator==(const ContextInfo&) const = default;
};

// For the pipe between a child and us, and for --json.
OrderedJson context_info_to_json(const ContextInfo& info);
Result<ContextInfo> context_info_from_json(const Json& json, const std::string& what);

// The small ONNX file around a context: one EPContext node that names the graph and the binary.
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

struct NpuOperator {
  std::string name;
  std::string type;                     // "FullyConnected", "DepthWiseConv2d", …
  std::vector<std::string> onnx_nodes;  // what it came from; empty for nodes that the runtime inserted (layout changes)
  std::string group;                    // the decoder layer or vision block; "" for inserted ones

  bool operator==(const NpuOperator&) const = default;
};

// Which operators of the NPU a graph became, and which ONNX node became which of them.
struct CompiledOperators {
  std::string graph_name;  // as in the context; "" when the file does not tell
  std::vector<NpuOperator> nodes;
  std::int64_t onnx_node_count = 0;  // of the graph that the compiler was given; 0: not told
  std::vector<RefusedNode> refused;

  // Type of operator -> how many.
  std::map<std::string, std::int64_t> histogram() const;
  // Group -> type of operator -> how many.
  std::map<std::string, std::map<std::string, std::int64_t>> groups() const;
  // ONNX node -> the indices in `nodes` that it became.
  std::map<std::string, std::vector<std::size_t>> by_onnx_node() const;
  bool operator==(const CompiledOperators&) const = default;
};

struct ContextQuestion {
  Path program;  // fastvlm-npu, which serves as the child
  RuntimeSearch runtimes;
  Path context;
};

// A target's own: how its compiled files are told from others, and read. Every function is there.
struct ContextFormat {
  std::string_view title;        // "qnn context"
  std::string_view wrapper_end;  // <graph><end> opens the graph, in the folder of the chip
  // By its first bytes (64 are enough).
  bool (*is_context)(std::string_view head);
  bool (*is_wrapper)(const OnnxModel& model);
  // Checks as well that the binary lies beside it; the binary itself is not read.
  Result<ContextWrapper> (*wrapper_of)(const OnnxModel& model, const Path& onnx);
  // In a child process. Errors: of the environment without the vendor's reader; bytes that are no context, or damaged.
  Result<ContextInfo> (*read_context)(const ContextQuestion& question);
  // What compile noted beside a wrapper; nothing where it left no such report.
  Result<std::optional<CompiledOperators>> (*operators_beside)(const Path& wrapper);

  // "vision_256" for ".../vision_256<wrapper_end>"; nothing for a file of another name.
  std::optional<std::string> graph_of(const Path& wrapper) const;
  Result<ContextWrapper> read_wrapper(const Path& onnx) const;
};

}  // namespace fastvlm
