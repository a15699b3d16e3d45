#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

bool NodeContext::is_fixed(std::size_t i) const { return !has_input(i) || index.is_constant(input(i)) || facts.folded.contains(input(i)); }

bool NodeContext::is_used(std::size_t i) const {
  if (i >= node.outputs.size() || node.outputs[i].empty()) return false;
  const std::string& output = node.outputs[i];
  return index.is_output(output) || index.is_used_inside(output) || !index.users(output).empty();
}

int NodeContext::rank(std::size_t i) const {
  const OnnxType* known = type(i);
  return known == nullptr || !known->has_shape ? -1 : static_cast<int>(known->dims.size());
}

}  // namespace fastvlm::qnn
