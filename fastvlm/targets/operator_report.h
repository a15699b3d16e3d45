// Whether an NPU takes the operators of an ONNX file: a verdict for each node.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/onnx/finding.h"

namespace fastvlm {

// Of an issue, kOk is a remark: the node is taken, but slow or less accurate.
enum class Verdict { kOk, kWarning, kRefused };
std::string_view name(Verdict verdict);  // "ok", "warning", "refused"

struct OpIssue {
  Verdict verdict = Verdict::kRefused;
  std::string reason;
  std::string advice;       // what to do; may be empty
  std::string_view source;  // how we know
  bool of_inputs = false;   // says nothing about the node itself: the model's inputs are not fixed
};
using OpIssues = std::vector<OpIssue>;

struct NodeVerdict {
  std::string node;  // its name, or that of its first output
  std::string op;    // "op" or "domain::op"
  Verdict verdict = Verdict::kOk;
  OpIssues issues;  // the worst first; empty for kOk
};

struct OperatorReport {
  std::string target;              // the chip
  std::vector<NodeVerdict> nodes;  // of the main graph, in the order of the file
  std::vector<Finding> graph;      // about the model as a whole
  std::int64_t ok = 0;
  std::int64_t warnings = 0;
  std::int64_t refused = 0;

  // Nothing is refused, in the nodes and in the whole.
  bool accepted() const { return refused == 0 && !has_errors(graph); }
};

// An ONNX node that a compiler did not take, and why.
struct RefusedNode {
  std::string name;
  std::string type;
  std::string reason;
  bool operator==(const RefusedNode&) const = default;
};

struct CompilerAnswer {
  bool accepted = false;
  std::string sentence;              // why not
  std::vector<RefusedNode> refused;  // by node, as far as it said
};

}  // namespace fastvlm
