#include "fastvlm/targets/qnn/check/check_ops.h"

#include <algorithm>
#include <map>
#include <set>

#include "fastvlm/targets/qnn/check/op_conditions.h"

namespace fastvlm::qnn {
namespace {

bool is_random(const OnnxNode& node) { return node.op.starts_with("Random") || node.op == "Bernoulli" || node.op == "Multinomial"; }
bool has_subgraph(const OnnxNode& node) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [](const auto& attribute) { return std::holds_alternative<OnnxGraphAttribute>(attribute.second); });
}

// Values that ONNX Runtime computes before the backend sees the graph: from constants alone, and shapes that are known.
std::unordered_set<std::string> folded_values(const OnnxIndex& index) {
  std::unordered_set<std::string> folded;
  for (const OnnxNode& node : index.model().nodes) {
    if (node.op == "Constant" || is_random(node) || has_subgraph(node) || !node.domain.empty() || node.op == "DequantizeLinear") continue;
    bool constant = !node.inputs.empty();
    for (const std::string& input : node.inputs)
      constant = constant && (input.empty() || index.is_constant(input) || folded.contains(input));
    if (node.op == "Shape" && !node.inputs.empty()) {
      const OnnxType* type = index.model().type_of(node.inputs[0]);
      constant = constant || (type != nullptr && type->has_shape && static_shape(type->dims).has_value());
    }
    if (constant) folded.insert(node.outputs.begin(), node.outputs.end());
  }
  folded.erase("");
  return folded;
}

OpIssues issues_of(const NodeContext& c) {
  OpIssues issues;
  const OpRule* rule = find_op_rule(c.node.domain, c.node.op);
  if (rule == nullptr) {
    const bool foreign = !c.node.domain.empty() && c.node.domain != kMicrosoftDomain;
    if (foreign)
      issues.push_back({Verdict::kRefused, fmt::format("domain \"{}\" is unknown to the backend", c.node.domain),
                        "write it with ONNX operators", kPluginSource});
    else
      issues.push_back({Verdict::kWarning, "our table has no rule for this operator", "compile the graph to know", kNoRule});
  } else if (rule->verdict == RuleVerdict::kRefused) {
    issues.push_back({Verdict::kRefused, std::string(rule->reason), std::string(rule->advice), rule->source});
  } else if (rule->condition != nullptr) {
    rule->condition(c, issues);
  }
  for (OpCondition general : {check_static, check_rank, check_types, check_constant_values}) general(c, issues);
  std::stable_sort(issues.begin(), issues.end(), [](const OpIssue& a, const OpIssue& b) { return a.verdict > b.verdict; });
  return issues;
}

NodeVerdict judge(const NodeContext& c) {
  NodeVerdict out;
  out.node = c.node.name.empty() && !c.node.outputs.empty() ? c.node.outputs.front() : c.node.name;
  out.op = operator_name(c.node.domain, c.node.op);
  const bool folded = std::any_of(c.node.outputs.begin(), c.node.outputs.end(), [&](const std::string& o) { return c.folded.contains(o); });
  if (!folded && c.node.op != "Constant") out.issues = issues_of(c);
  if (!out.issues.empty()) out.verdict = out.issues.front().verdict;
  return out;
}

// Each symbol once, with the inputs and outputs that carry it.
void find_symbols(const OnnxModel& model, std::vector<Finding>& out) {
  std::map<std::string, std::set<std::string>> carriers;
  for (const auto* values : {&model.inputs, &model.outputs})
    for (const OnnxValue& value : *values)
      for (const Dim& dim : value.type.dims)
        if (!dim.is_static()) carriers[dim.symbol].insert(value.name);
  for (const auto& [symbol, values] : carriers) {
    std::string names;
    std::size_t listed = 0;
    for (const std::string& value : values) {
      if (listed == 4) break;
      names += fmt::format("{}\"{}\"", listed++ == 0 ? "" : ", ", value);
    }
    if (values.size() > listed) names += fmt::format(" and {} more", values.size() - listed);
    const std::string which = symbol == kUnknownExtent ? "an unnamed extent" : fmt::format("the symbolic extent \"{}\"", symbol);
    out.push_back({Severity::kError, symbol, fmt::format("{} of {}: HTP compiles fixed shapes only; give it a number", which, names)});
  }
}

void find_border_types(const OnnxModel& model, std::vector<Finding>& out) {
  for (const auto* values : {&model.inputs, &model.outputs})
    for (const OnnxValue& value : *values) {
      if (value.type.dtype == Dtype::kBool)
        out.push_back({Severity::kWarning, value.name,
                       fmt::format("\"{}\" is bool: it compiles, but masks of NPU graphs are float or uint16 elsewhere", value.name)});
      if (value.type.dtype == Dtype::kInt64)
        out.push_back({Severity::kWarning, value.name, fmt::format("\"{}\" is int64: it is computed as int32; prefer int32", value.name)});
    }
}

// Floats that pass between two nodes outside of DequantizeLinear and QuantizeLinear are computed as floats.
const OnnxNode* first_float_compute(const OnnxIndex& index, const std::unordered_set<std::string>& folded) {
  for (const OnnxNode& node : index.model().nodes) {
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear" || node.op == "Constant") continue;
    if (node.outputs.empty() || folded.contains(node.outputs[0])) continue;
    const OnnxType* type = index.model().type_of(node.outputs[0]);
    if (type == nullptr || !type->dtype || !is_float(*type->dtype)) continue;
    const auto& users = index.users(node.outputs[0]);
    const bool quantised =
        !users.empty() && std::all_of(users.begin(), users.end(), [](const OnnxNode* user) { return user->op == "QuantizeLinear"; });
    if (!quantised) return &node;
  }
  return nullptr;
}

void find_whole_model(const OnnxIndex& index, const Soc& soc, const std::unordered_set<std::string>& folded, std::vector<Finding>& out) {
  const OnnxModel& model = index.model();
  find_symbols(model, out);
  find_border_types(model, out);
  if (!soc.fp16)
    if (const OnnxNode* node = first_float_compute(index, folded))
      out.push_back({Severity::kError, std::string(soc.name),
                     fmt::format("{} has no half precision, and {} \"{}\" computes in floats; quantise the model for this chip", soc.name,
                                 operator_name(node->domain, node->op), node->outputs[0])});
  if (!model.inference_note.empty())
    out.push_back(
        {Severity::kWarning, "",
         fmt::format("shapes are known only as far as the file states them, because shape inference failed: {}", model.inference_note)});
  if (model.has_functions)
    out.push_back({Severity::kWarning, "", "the model has functions of its own; their nodes are not looked at, inline them first"});
  if (model.has_subgraphs) out.push_back({Severity::kWarning, "", "the model has subgraphs; their nodes are not looked at"});
}

}  // namespace

Result<OperatorReport> check_ops(const OnnxModel& model, const Soc& soc) {
  if (model.nodes.empty()) return bad_input("the model \"{}\" has no nodes", model.graph_name);
  const OnnxIndex index(model);
  const auto folded = folded_values(index);
  OperatorReport report;
  report.target = soc.name;
  find_whole_model(index, soc, folded, report.graph);
  for (const OnnxNode& node : model.nodes) {
    report.nodes.push_back(judge({node, index, soc, folded}));
    switch (report.nodes.back().verdict) {
      case Verdict::kOk: ++report.ok; break;
      case Verdict::kWarning: ++report.warnings; break;
      case Verdict::kRefused: ++report.refused; break;
    }
  }
  return report;
}

}  // namespace fastvlm::qnn
