// Which ONNX operators the HTP backend takes, as a table of our own: it needs no SDK and no runtime.
//
// Most rows were measured: one small graph for each, compiled for SM8750 (some for other chips) by the plugin 2.7.0 with
// QAIRT 2.51, fallback to the CPU forbidden, run in the x86 emulation and compared with ONNX Runtime on the CPU. The others say
// where they come from.
#pragma once

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
inline constexpr std::string_view kReports = "reports from devices";
inline constexpr std::string_view kNoRule = "not established";

// A node in its model.
struct NodeContext {
  const OnnxNode& node;
  const OnnxIndex& index;
  const Soc& soc;
  const std::unordered_set<std::string>& folded;  // values that are computed before compiling

  bool has_input(std::size_t i) const { return i < node.inputs.size() && !node.inputs[i].empty(); }
  const std::string& input(std::size_t i) const { return node.inputs[i]; }
  // Constant in the file, or folded to one. True for an optional input left out.
  bool is_fixed(std::size_t i) const;
  // The shape of an input, or nullptr when it is not known.
  const OnnxType* type(std::size_t i) const { return has_input(i) ? index.model().type_of(input(i)) : nullptr; }
  // Rank of an input, -1 when it is not known.
  int rank(std::size_t i) const;
};
// Adds what is wrong with this use of the operator.
using OpCondition = void (*)(const NodeContext&, OpIssues&);

enum class RuleVerdict { kOk, kConditional, kRefused };

struct OpRule {
  std::string_view op;
  std::string_view domain = "";
  RuleVerdict verdict = RuleVerdict::kOk;
  std::string_view reason = "";  // for refused operators
  std::string_view advice = "";
  std::string_view source = kMeasured;
  OpCondition condition = nullptr;
};

std::span<const OpRule> op_rules();
// The rule of an operator, or nullptr.
const OpRule* find_op_rule(std::string_view domain, std::string_view op);

}  // namespace fastvlm::qnn
