// Which ONNX operators the HTP backend takes, as a table of our own: it needs no SDK and no runtime.
//
// The rows are measured: the ONNX project's node models and small probes of types, ranks and constants, compiled for SM8750 (some for
// other chips) by the plugin 2.7.0 with QAIRT 2.51, fallback to the CPU forbidden; bench/README.md has the matrix and how to make it
// again. What was not measured says where it comes from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "fastvlm/onnx/model_index.h"
#include "fastvlm/targets/operator_report.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"

namespace fastvlm::qnn {

inline constexpr std::string_view kMeasured = "measured with plugin 2.7.0, QAIRT 2.51, x86 emulation";
inline constexpr std::string_view kPluginSource = "onnxruntime-qnn 2.0 source and release notes to 2.7";
inline constexpr std::string_view kOnnxRules = "the rules of ONNX";
inline constexpr std::string_view kReports = "reports from devices";
inline constexpr std::string_view kNoRule = "not established";

// What is known about the values of a model besides their types.
struct ValueFacts {
  std::unordered_set<std::string> folded;   // computed before compiling
  std::unordered_set<std::string> open;     // the shape depends on an input whose shape is open
  std::unordered_set<std::string> unknown;  // a shape that neither the file states nor we could infer
};

// A node in its model.
struct NodeContext {
  const OnnxNode& node;
  const OnnxIndex& index;
  const Soc& soc;
  const ValueFacts& facts;

  bool has_input(std::size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  const std::string& input(std::size_t i) const { return node.inputs[i]; }
  // Constant in the file, or folded to one. True for an optional input left out.
  bool is_fixed(std::size_t i) const;
  // An output that some node or the graph's border needs.
  bool is_used(std::size_t i) const;
  // The shape of an input, or nullptr when it is not known.
  const OnnxType* type(std::size_t i) const { return has_input(i) ? index.model().type_of(input(i)) : nullptr; }
  // Rank of an input, -1 when it is not known.
  int rank(std::size_t i) const;
};
// Adds what is wrong with this use of the operator.
using OpCondition = void (*)(const NodeContext&, OpIssues&);

// Element types as bits.
using TypeSet = std::uint32_t;
inline constexpr TypeSet type_bit(Dtype dtype) { return TypeSet{1} << static_cast<unsigned>(dtype); }
inline constexpr TypeSet kFloats = type_bit(Dtype::kFloat32) | type_bit(Dtype::kFloat16);
inline constexpr TypeSet kSigned = kFloats | type_bit(Dtype::kInt32) | type_bit(Dtype::kInt64);
inline constexpr TypeSet kBools = type_bit(Dtype::kBool);
inline constexpr TypeSet kUint32s = type_bit(Dtype::kUint32);
inline constexpr TypeSet kUint8s = type_bit(Dtype::kUint8);
inline constexpr TypeSet kNarrow = kUint8s | type_bit(Dtype::kInt8) | type_bit(Dtype::kUint16) | type_bit(Dtype::kInt16);
inline constexpr TypeSet kAnyType = ~TypeSet{0};

// Inputs as bits, and "this one and all behind it".
using InputSet = std::uint32_t;
template <class... Index>
constexpr InputSet inputs(Index... i) {
  return ((InputSet{1} << i) | ...);
}
constexpr InputSet inputs_from(unsigned first) { return ~InputSet{0} << first; }

struct OpRule {
  std::string_view op;
  std::string_view domain = "";
  std::string_view reason = "";     // for refused operators
  std::string_view advice = "";     // what to do instead
  TypeSet types = kFloats;          // taken for the input `data`
  unsigned data = 0;                // the input that decides
  int max_rank = 5;                 // of that input
  InputSet constants = 0;           // inputs that must be constant
  OpCondition condition = nullptr;  // whatever else matters
  std::string_view source = kMeasured;

  bool is_refused() const { return !reason.empty(); }
};

std::span<const OpRule> op_rules();
// The rule of an operator, or nullptr.
const OpRule* find_op_rule(std::string_view domain, std::string_view op);

// An attribute of which only some values are taken.
struct AttributeRule {
  std::string_view op;
  std::string_view attribute;
  std::string_view taken;  // values with '|' between them; of a list, each element must be one of them
  std::string_view advice;
};
std::span<const AttributeRule> attribute_rules();

}  // namespace fastvlm::qnn
