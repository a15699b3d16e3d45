// A graph of a layout against what the program binds: names, order, types and extents of its inputs and outputs, and its external data.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/targets/compiled_context.h"
#include "fastvlm/verify/report.h"

namespace fastvlm::clients {

struct LayoutCheck {
  Path folder;
  VerifyReport& report;
  ContextQuestion reader = {};      // how contexts are read; `context` is each of them
  bool others = false;              // the folder may hold graphs of another layout too
  std::set<std::string> seen = {};  // graphs that a layout before has looked at

  bool report_has(const std::string& subject) const;
  // A row, unless it is there already: two configs may name one file.
  void miss(const std::string& what, const std::string& subject, const std::string& sentence);
};

// What the ONNX Runtime of a client opens at most.
struct ClientRuntime {
  const char* name;
  std::int64_t opset, ir_version;
};
inline constexpr ClientRuntime kOfTransformersJs = {.name = "transformers.js 3.8.1", .opset = 22, .ir_version = 10};
inline constexpr ClientRuntime kOfGenai = {.name = "onnxruntime-genai 0.18", .opset = 26, .ir_version = 13};

// As the configs say; -1 where they say nothing.
struct DecoderSizes {
  std::int64_t layers = -1;
  std::int64_t key_value_heads = -1;
  std::int64_t head_size = -1;
  std::int64_t hidden_size = -1;
  std::int64_t vocabulary = -1;
  std::int64_t image_tokens = -1;
};

struct SignatureValue {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  std::vector<std::int64_t> extents;  // -1: any
};
struct Signature {
  std::vector<SignatureValue> inputs, outputs;
  std::int64_t image_tokens = -1;  // that the pixels make
};

// By the name of the graph, whatever the variant.
Signature signature_of(const std::string& file, const DecoderSizes& sizes);

// What the configs have to fit.
struct GraphFacts {
  std::int64_t picture_side = -1;         // of the pictures that it takes; -1: none, or any
  std::set<std::string> data_files = {};  // that it names
};
// Rows about the graph, which is there.
GraphFacts check_graph(LayoutCheck& check, const std::string& file, const Signature& wanted, const ClientRuntime& runtime);

// The ids with which an embedding graph compares its input; none where it cannot be read.
std::set<std::int64_t> compared_ids(const Path& graph);

}  // namespace fastvlm::clients
