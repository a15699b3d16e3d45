#include "fastvlm/targets/qnn/check/check_ops.h"

#include <algorithm>

#include "fastvlm/targets/qnn/check/op_conditions.h"
#include "fastvlm/targets/qnn/check/value_facts.h"
#include "fastvlm/targets/qnn/check/whole_model.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"

namespace fastvlm::qnn {
namespace {

OpIssues issues_of(const NodeContext& c) {
  OpIssues issues;
  if (!c.node.fault.empty()) {
    refuse(issues, c.node.fault, "repair the file, or export it again; the backend does not take it so", kOnnxRules);
    return issues;
  }
  const OpRule* rule = find_op_rule(c.node.domain, c.node.op);
  if (rule == nullptr) {
    const bool foreign = !c.node.domain.empty() && c.node.domain != kMicrosoftDomain;
    if (foreign)
      refuse(issues, fmt::format("domain \"{}\" is unknown to the backend", c.node.domain), "write it with ONNX operators", kPluginSource);
    else
      warn(issues, "our table has no rule for this operator", "compile the graph to know", kNoRule);
  } else if (rule->is_refused()) {
    refuse(issues, std::string(rule->reason), std::string(rule->advice), rule->source);
  } else {
    check_constants(c, *rule, issues);
    check_attributes(c, issues);
    if (rule->condition != nullptr) rule->condition(c, issues);
  }
  check_open(c, issues);
  check_empty(c, rule, issues);
  check_rank(c, rule, issues);
  check_types(c, rule, issues);
  check_constant_values(c, issues);
  std::stable_sort(issues.begin(), issues.end(), [](const OpIssue& a, const OpIssue& b) { return a.verdict > b.verdict; });
  return issues;
}

NodeVerdict judge(const NodeContext& c) {
  NodeVerdict out;
  out.node = c.node.name.empty() && !c.node.outputs.empty() ? c.node.outputs.front() : c.node.name;
  out.op = operator_name(c.node.domain, c.node.op);
  const bool folded =
      std::any_of(c.node.outputs.begin(), c.node.outputs.end(), [&](const std::string& o) { return c.facts.folded.contains(o); });
  if (!c.node.fault.empty() || (!folded && c.node.op != "Constant")) out.issues = issues_of(c);
  if (!out.issues.empty()) out.verdict = out.issues.front().verdict;
  return out;
}

}  // namespace

Result<OperatorReport> check_ops(const OnnxModel& model, const Soc& soc) {
  if (model.nodes.empty()) return bad_input("the model \"{}\" has no nodes", model.graph_name);
  if (is_context_wrapper(model))
    return bad_input(
        "a compiled context (EPContext), whose operators are not in it; check the ONNX file that it was made from, or inspect it");
  const OnnxIndex index(model);
  const ValueFacts facts = value_facts_of(index);
  OperatorReport report;
  report.target = soc.name;
  report.graph = check_whole_model(index, soc, facts);
  for (const OnnxNode& node : model.nodes) {
    report.nodes.push_back(judge({node, index, soc, facts}));
    switch (report.nodes.back().verdict) {
      case Verdict::kOk: ++report.ok; break;
      case Verdict::kWarning: ++report.warnings; break;
      case Verdict::kRefused: ++report.refused; break;
    }
  }
  return report;
}

}  // namespace fastvlm::qnn
