// What the rules table says about a whole ONNX file, ours or foreign: a verdict for each node. No SDK and no runtime is needed.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/onnx/finding.h"
#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

struct NodeVerdict {
  std::string node;  // its name, or that of its first output
  std::string op;    // "op" or "domain::op"
  Verdict verdict = Verdict::kOk;
  OpIssues issues;  // the worst first; empty for kOk
};

struct CheckOpsReport {
  std::string target;
  std::vector<NodeVerdict> nodes;  // of the main graph, in the order of the file
  std::vector<Finding> graph;      // about the model as a whole
  std::int64_t ok = 0;
  std::int64_t warnings = 0;
  std::int64_t refused = 0;

  // Nothing is refused, in the nodes and in the whole.
  bool accepted() const { return refused == 0 && !has_errors(graph); }
};

// An Error only for a model without nodes.
Result<CheckOpsReport> check_ops(const OnnxModel& model, const Soc& soc);

}  // namespace fastvlm::qnn
