// What is asked of every node, whatever the operator.
#include <algorithm>
#include <cmath>
#include <set>

#include "fastvlm/targets/qnn/check/op_conditions.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::qnn {
namespace {

constexpr int kMaxRank = 5;
constexpr double kMinHalf = 6e-8;  // the smallest half above 0

bool is_one_of(const OnnxNode& node, std::initializer_list<std::string_view> ops) {
  return node.domain.empty() && std::find(ops.begin(), ops.end(), node.op) != ops.end();
}

// Every value that the node touches and that is there while it runs, each once.
std::set<std::string> values_of(const NodeContext& c) {
  std::set<std::string> values;
  for (const std::string& input : c.node.inputs)
    if (!c.index.is_constant(input) && !c.facts.folded.contains(input)) values.insert(input);
  values.insert(c.node.outputs.begin(), c.node.outputs.end());
  values.erase("");
  return values;
}

// The plugin merges Reshape -> Transpose -> Reshape into one, so the six axes in between never reach the backend.
bool is_inside_merged_reshapes(const NodeContext& c, const std::string& value) {
  const OnnxNode* maker = c.index.producer(value);
  const auto& users = c.index.users(value);
  if (maker == nullptr || users.size() != 1 || c.index.is_output(value)) return false;
  const bool before = maker->op == "Reshape" && users[0]->op == "Transpose";
  const bool after = maker->op == "Transpose" && users[0]->op == "Reshape";
  return before || after;
}

std::string type_name(const OnnxType& type) {
  return type.dtype ? std::string(name(*type.dtype)) : fmt::format("of the foreign element type {}", type.code);
}

// "0|1|none" holds "1".
bool holds(std::string_view list, std::string_view item) {
  while (true) {
    const std::size_t bar = list.find('|');
    if (list.substr(0, bar) == item) return true;
    if (bar == std::string_view::npos) return false;
    list.remove_prefix(bar + 1);
  }
}

// The first value of the attribute that is not taken, or nothing.
std::optional<std::string> first_not_taken(const OnnxAttribute& attribute, std::string_view taken) {
  std::vector<std::string> values;
  if (const auto* integer = std::get_if<std::int64_t>(&attribute)) values.push_back(std::to_string(*integer));
  if (const auto* text = std::get_if<std::string>(&attribute)) values.push_back(*text);
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute))
    for (std::int64_t value : *list) values.push_back(std::to_string(value));
  for (const std::string& value : values)
    if (!holds(taken, value)) return value;
  return std::nullopt;
}

}  // namespace

void check_open(const NodeContext& c, OpIssues& out) {
  for (const std::string& value : values_of(c))
    if (c.facts.open.contains(value)) {
      const OpIssue issue{Verdict::kRefused, "its shape depends on an input that is not fixed", "give numbers to the shapes of the inputs",
                          kMeasured, true};
      return out.push_back(issue);
    }
}

void check_empty(const NodeContext& c, const OpRule* rule, OpIssues& out) {
  std::vector<std::string> values = c.node.outputs;
  if (rule != nullptr && c.has_input(rule->data)) values.push_back(c.input(rule->data));
  for (const std::string& value : values) {
    const OnnxType* type = c.index.model().type_of(value);
    if (value.empty() || type == nullptr || !type->has_shape || c.index.is_constant(value)) continue;
    if (std::none_of(type->dims.begin(), type->dims.end(), [](const Dim& dim) { return dim.is_static() && dim.value == 0; })) continue;
    return refuse(out, fmt::format("\"{}\" has no elements, on which the backend's compiler fails or crashes", value),
                  "leave empty tensors out");
  }
}

void check_rank(const NodeContext& c, const OpRule* rule, OpIssues& out) {
  bool slow = false;
  for (const std::string& value : values_of(c)) {
    const OnnxType* type = c.index.model().type_of(value);
    if (type == nullptr || !type->has_shape) continue;
    const auto rank = static_cast<int>(type->dims.size());
    slow = slow || rank == kMaxRank;
    if (rank <= kMaxRank) continue;
    if (rank == 6 && is_inside_merged_reshapes(c, value)) {
      remark(out, fmt::format("\"{}\" has rank 6, which passes only because Reshape, Transpose and Reshape are merged", value),
             "keep to rank 4");
      continue;
    }
    return refuse(out, fmt::format("\"{}\" has rank {}, and HTP ends at {}", value, rank, kMaxRank), "split or merge axes; rank 4 is best");
  }
  if (rule != nullptr && c.rank(rule->data) > rule->max_rank && c.rank(rule->data) <= kMaxRank)
    return refuse(out, fmt::format("{} of rank {} is refused; {} is the most", c.node.op, c.rank(rule->data), rule->max_rank),
                  fmt::format("reshape to rank {}", rule->max_rank));
  if (slow)
    remark(out, "rank 5 is accepted but slow", "keep to rank 4: a rank-5 split of q, k and v doubled the time of a vision transformer",
           kReports);
}

void check_types(const NodeContext& c, const OpRule* rule, OpIssues& out) {
  for (const std::string& value : values_of(c)) {
    const OnnxType* type = c.index.model().type_of(value);
    if (type == nullptr || type->code == 0) continue;
    // Doubles inside of the graph become floats.
    const bool border = c.index.is_input(value) || c.index.is_output(value);
    const bool missing =
        !type->dtype || (*type->dtype == Dtype::kFloat64 && border) || *type->dtype == Dtype::kBfloat16 || *type->dtype == Dtype::kUint64;
    if (missing && c.node.op != "Shape")
      return refuse(out, fmt::format("\"{}\" is {}, which HTP does not have", value, type_name(*type)),
                    "convert the model to float32 or float16, and whole numbers to int32");
  }
  const OnnxType* type = rule == nullptr ? nullptr : c.type(rule->data);
  if (type == nullptr || !type->dtype || c.is_fixed(rule->data) || (rule->types & type_bit(*type->dtype)) != 0) return;
  if (*type->dtype == Dtype::kFloat64 && (rule->types & type_bit(Dtype::kFloat32)) != 0) return;
  const bool narrow = (kNarrow & type_bit(*type->dtype)) != 0;
  refuse(out, fmt::format("{} of {} is refused", c.node.op, name(*type->dtype)),
         narrow ? "8- and 16-bit numbers are computed with between DequantizeLinear and QuantizeLinear" : "cast to float");
}

void check_constants(const NodeContext& c, const OpRule& rule, OpIssues& out) {
  for (std::size_t i = 0; i < std::min<std::size_t>(c.node.inputs.size(), 32); ++i)
    if ((rule.constants >> i & 1) != 0 && !c.is_fixed(i)) return refuse_computed(c, i, out);
}

void check_attributes(const NodeContext& c, OpIssues& out) {
  for (const AttributeRule& rule : attribute_rules()) {
    if (!c.node.domain.empty() || c.node.op != rule.op) continue;
    const auto attribute = c.node.attributes.find(std::string(rule.attribute));
    if (attribute == c.node.attributes.end()) continue;
    if (auto value = first_not_taken(attribute->second, rule.taken))
      refuse(out, fmt::format("{} with {} = {} is refused", rule.op, rule.attribute, *value), std::string(rule.advice));
  }
}

void check_constant_values(const NodeContext& c, OpIssues& out) {
  const bool computes = is_one_of(c.node, {"Add", "Sub", "Mul", "Div", "Where", "Pow", "Equal", "Greater", "Less", "GreaterOrEqual",
                                           "LessOrEqual", "Max", "Min", "Clip", "MatMul", "Gemm"});
  if (!computes) return;
  for (const std::string& value : c.node.inputs) {
    const Tensor* constant = c.index.constant(value);
    if (constant == nullptr) continue;
    if (constant->dtype == Dtype::kInt64) {
      const auto numbers = constant->int64s();
      if (std::any_of(numbers.begin(), numbers.end(), [](std::int64_t n) { return n < INT32_MIN || n > INT32_MAX; }))
        remark(out, fmt::format("\"{}\" holds numbers past int32; int64 is computed as int32, so results are wrong", value),
               "keep whole numbers within int32");
    }
    if (!is_float(constant->dtype)) continue;
    const Tensor numbers = to_float32(constant->view());
    bool infinite = false, large = false, small = false;
    for (float number : numbers.floats()) {
      infinite = infinite || !std::isfinite(number);
      large = large || std::abs(number) > kLargestHalf;
      small = small || (number != 0 && std::abs(number) < kMinHalf);
    }
    const bool is_bound = c.node.op == "Clip" || c.node.op == "Max" || c.node.op == "Min";
    if (infinite)
      remark(out, fmt::format("\"{}\" holds infinities or NaN, which NPUs handle badly", value),
             "use a finite value, such as -1000 in a mask", kReports);
    else if (large && !is_bound)
      remark(out, fmt::format("\"{}\" holds numbers past {}, which are infinite in half precision", value, kLargestHalf),
             "use a smaller value, such as -1000 in a mask");
    if (small && (c.node.op == "Mul" || c.node.op == "Div"))
      remark(out, fmt::format("\"{}\" holds numbers below {:.0e}, which are 0 in half precision", value, kMinHalf),
             "scale in several steps");
  }
}

}  // namespace fastvlm::qnn
