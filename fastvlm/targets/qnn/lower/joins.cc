#include "fastvlm/targets/qnn/lower/joins.h"

#include <algorithm>

namespace fastvlm::qnn {
namespace {

bool is_made_by(const OnnxIndex& index, const std::string& value, const char* op) {
  const OnnxNode* node = index.producer(value);
  return node != nullptr && node->op == op;
}

}  // namespace

bool is_inside_gelu(const OnnxIndex& index, const std::string& value) {
  if (is_made_by(index, value, "Erf")) return true;
  for (const OnnxNode* user : index.users(value))
    if (user->op == "Erf" && is_made_by(index, value, "Div")) return true;
  const OnnxNode* node = index.producer(value);
  if (node == nullptr || (node->op != "Add" && node->op != "Mul")) return false;
  return std::ranges::any_of(node->inputs, [&](const std::string& input) {
    if (node->op == "Add") return is_made_by(index, input, "Erf");
    const OnnxNode* sum = index.producer(input);
    return sum != nullptr && sum->op == "Add" &&
           std::ranges::any_of(sum->inputs, [&](const std::string& i) { return is_made_by(index, i, "Erf"); });
  });
}

}  // namespace fastvlm::qnn
