// Erf: the backend knows it only as a part of GELU.
#include <cmath>

#include "fastvlm/targets/qnn/check/op_conditions.h"

namespace fastvlm::qnn {
namespace {

bool is_close(std::optional<double> value, double expected) { return value && std::abs(*value - expected) <= 1e-3 * std::abs(expected); }

// The other input of a two-input node.
const std::string& other_input(const OnnxNode& node, const std::string& input) {
  return node.inputs[0] == input ? node.inputs[1] : node.inputs[0];
}

// The only user of a value, when it is a node of that operator with two inputs and a result.
const OnnxNode* only_user(const OnnxIndex& index, const std::string& value, std::string_view op) {
  const auto& users = index.users(value);
  if (users.size() != 1 || index.is_output(value) || users[0]->op != op || users[0]->inputs.size() != 2 || users[0]->outputs.empty())
    return nullptr;
  return users[0];
}

bool is_half_of(const OnnxIndex& index, const std::string& value, const std::string& x) {
  const OnnxNode* node = index.producer(value);
  if (node == nullptr || node->op != "Mul" || node->inputs.size() != 2) return false;
  return (node->inputs[0] == x && is_close(index.scalar(node->inputs[1]), 0.5)) ||
         (node->inputs[1] == x && is_close(index.scalar(node->inputs[0]), 0.5));
}

// Whether the value 1 + erf(.) ends in x * 0.5 * it, in any of the three orders that were taken.
bool ends_as_gelu(const OnnxIndex& index, const std::string& one_plus_erf, const std::string& x) {
  const OnnxNode* product = only_user(index, one_plus_erf, "Mul");
  if (product == nullptr) return false;
  const std::string& factor = other_input(*product, one_plus_erf);
  if (is_half_of(index, factor, x)) return true;
  const bool by_x = factor == x, by_half = is_close(index.scalar(factor), 0.5);
  if (!by_x && !by_half) return false;
  const OnnxNode* last = only_user(index, product->outputs[0], "Mul");
  if (last == nullptr) return false;
  const std::string& rest = other_input(*last, product->outputs[0]);
  return by_x ? is_close(index.scalar(rest), 0.5) : rest == x;
}

enum class GeluMatch { kNone, kExact, kOtherConstant };

GeluMatch match_gelu(const OnnxNode& erf, const OnnxIndex& index) {
  const OnnxNode* scale = erf.inputs.empty() ? nullptr : index.producer(erf.inputs[0]);
  if (scale == nullptr || scale->inputs.size() != 2 || erf.outputs.empty()) return GeluMatch::kNone;
  const OnnxNode* sum = only_user(index, erf.outputs[0], "Add");
  if (sum == nullptr || sum->outputs.empty() || !is_close(index.scalar(other_input(*sum, erf.outputs[0])), 1)) return GeluMatch::kNone;

  for (int side = 0; side < 2; ++side) {
    const std::string& x = scale->inputs[static_cast<std::size_t>(side)];
    const std::string& constant = scale->inputs[static_cast<std::size_t>(1 - side)];
    if (!(scale->op == "Mul" || (scale->op == "Div" && side == 0)) || !index.scalar(constant)) continue;
    if (!ends_as_gelu(index, sum->outputs[0], x)) continue;
    const bool exact = is_close(index.scalar(constant), scale->op == "Div" ? std::sqrt(2.0) : std::sqrt(0.5));
    return exact ? GeluMatch::kExact : GeluMatch::kOtherConstant;
  }
  return GeluMatch::kNone;
}

}  // namespace

void check_erf(const NodeContext& c, OpIssues& out) {
  const OnnxNode* maker = c.has_input(0) ? c.index.producer(c.input(0)) : nullptr;
  if (maker != nullptr && maker->op == "DequantizeLinear")
    return refuse(out, "Erf is refused in a quantised graph, also inside GELU",
                  "write one Gelu node between DequantizeLinear and QuantizeLinear");
  switch (match_gelu(c.node, c.index)) {
    case GeluMatch::kExact: return;
    case GeluMatch::kOtherConstant:
      return warn(out, "the chain is taken for GELU whatever its constant, so this one is computed wrongly", "use the square root of 2");
    case GeluMatch::kNone:
      return refuse(out, "Erf exists only inside GELU: x / sqrt(2), Erf, + 1, * x, * 0.5, with no other user in between",
                    "write Gelu, or that chain");
  }
}

}  // namespace fastvlm::qnn
