// What an ONNX file says, as plain data: no protobuf outside this folder. External data is never loaded, so a file of a few
// hundred kilobytes that names gigabytes of weights is read in milliseconds.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/freeze.h"

namespace fastvlm {

// Protobuf's own ceiling for one message.
inline constexpr std::uint64_t kMaxOnnxFile = (std::uint64_t{1} << 31) - 1;
// Constants up to this size are kept with their numbers.
inline constexpr std::size_t kMaxKeptConstant = 64 * 1024;
// The extent of an axis about which the file says nothing.
inline constexpr const char* kUnknownExtent = "?";

// Type and shape of a value. A value that is no tensor (a sequence, a map) has neither.
struct OnnxType {
  int code = 0;                // TensorProto.DataType, 0: unknown
  std::optional<Dtype> dtype;  // nothing for unknown or foreign codes (strings, int4, float8)
  bool has_shape = false;
  Dims dims;
};

struct OnnxValue {
  std::string name;
  OnnxType type;
};

// Where the bytes of a tensor lie, as written in the file; nothing about it has been checked against the disk.
struct ExternalData {
  std::string location;
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;  // left out: up to the end of the file
};

struct OnnxInitializer {
  std::string name;
  int code = 0;
  std::optional<Dtype> dtype;
  Shape shape;
  std::optional<std::uint64_t> bytes;  // of the whole tensor; nothing for types of unknown size
  std::optional<ExternalData> external;
  std::optional<Tensor> constant;  // inline and at most kMaxKeptConstant
};

struct OnnxTensorAttribute {
  int code = 0;
  Shape shape;
  std::optional<Tensor> constant;
};
struct OnnxNode;
// A subgraph: its nodes in the order of the file. A list of subgraphs has none here.
struct OnnxGraphAttribute {
  std::shared_ptr<const std::vector<OnnxNode>> nodes;
};
struct OnnxForeignAttribute {};  // a list of tensors, a sparse tensor, a type
using OnnxAttribute = std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>,
                                   std::vector<std::string>, OnnxTensorAttribute, OnnxGraphAttribute, OnnxForeignAttribute>;

struct OnnxNode {
  std::string domain;  // "" is ONNX itself ("ai.onnx" is read as "")
  std::string op;
  std::string name;
  std::vector<std::string> inputs;  // "" is an optional input left out
  std::vector<std::string> outputs;
  std::map<std::string, OnnxAttribute> attributes;
  std::string fault;  // why ONNX Runtime would not load it, or a branch of it; looked for with ReadOnnxOptions::find_faults

  // The attribute of exactly that type, or `otherwise`.
  std::int64_t integer(const std::string& key, std::int64_t otherwise) const;
  float real(const std::string& key, float otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
};

struct OnnxModel {
  std::int64_t ir_version = 0;
  std::map<std::string, std::int64_t> opsets;  // by domain, "" is ONNX itself
  std::string producer;                        // name and version
  std::map<std::string, std::string> metadata;
  std::string graph_name;
  std::vector<OnnxValue> inputs;  // without those that are initializers too
  std::vector<OnnxValue> outputs;
  std::vector<OnnxInitializer> initializers;
  std::vector<OnnxNode> nodes;             // of the main graph, in the order of the file; sorted where shapes are inferred
  std::vector<OnnxNode> inner_nodes;       // of subgraphs and local functions, flat
  std::map<std::string, OnnxType> values;  // inputs, initializers, outputs and what is known about the values between
  bool has_subgraphs = false;
  bool has_functions = false;
  std::vector<std::string> circle;  // values that need themselves, so that nothing can be sorted
  std::string inference_note;       // why shape inference failed or was left out; empty when all went well

  std::int64_t opset() const;  // of ONNX itself, 0 when not imported
  const OnnxType* type_of(const std::string& value) const;
};

struct ReadOnnxOptions {
  bool infer_shapes = true;
  std::vector<Freeze> freezes;    // inputs to fix before that
  bool inline_functions = false;  // write local functions out where they are called
  bool find_faults = false;       // also what ONNX Runtime would not load, with infer_shapes
};

// Reads a file of at most kMaxOnnxFile bytes. Truncated and foreign files are an Error; failed shape inference is not, it
// leaves inference_note. Unusable entries for external data (a negative offset) are an Error that names the tensor.
Result<OnnxModel> read_onnx(const Path& path, const ReadOnnxOptions& options = {});

// The same from memory; `what` stands in front of errors.
Result<OnnxModel> parse_onnx(std::span<const std::byte> bytes, const std::string& what, const ReadOnnxOptions& options = {});

// The serialized model with these intermediate values as further outputs, typed as far as inference can. Locations of
// external data stay as they are: relative to the folder of `model`. A value that is an output already stays one. Of one that only
// QuantizeLinear reads the output is what its codes stand for.
Result<std::string> with_probes(const Path& model, std::span<const std::string> value_names);

// How often each operator occurs, inner nodes included; operators of other domains as "domain::op".
std::map<std::string, std::int64_t> operator_histogram(const OnnxModel& model);

// "op" or "domain::op".
std::string operator_name(const std::string& domain, const std::string& op);

}  // namespace fastvlm
