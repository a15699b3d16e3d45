#include "fastvlm/onnx/node_faults.h"

#include <fmt/format.h>
#include <onnx/defs/schema.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <optional>
#include <unordered_map>

#include "fastvlm/onnx/schemas.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {
namespace {

using onnx::OpSchema;
using Types = std::unordered_map<std::string, onnx::TypeProto>;
using Opsets = std::map<std::string, int>;

std::string plain(const std::string& domain) { return domain == "ai.onnx" ? "" : domain; }

Opsets opsets_of(const onnx::ModelProto& model) {
  Opsets opsets;
  for (const auto& opset : model.opset_import())
    opsets[plain(opset.domain())] = static_cast<int>(std::clamp<std::int64_t>(opset.version(), 0, 1 << 20));
  return opsets;
}

std::string counted(int least, int most) {
  if (most == std::numeric_limits<int>::max()) return fmt::format("at least {}", least);
  return least == most ? std::to_string(least) : fmt::format("{} to {}", least, most);
}

std::string wrong_count(const char* what, int given, int least, int most) {
  if (given >= least && given <= most) return "";
  return fmt::format("it has {} {}{}, and ONNX wants {}", given, what, given == 1 ? "" : "s", counted(least, most));
}

std::string wrong_attributes(const onnx::NodeProto& node, const OpSchema& schema) {
  for (const auto& [name, attribute] : schema.attributes()) {
    const bool given = std::ranges::any_of(node.attribute(), [&](const auto& a) { return a.name() == name; });
    if (attribute.required && !given) return fmt::format("the attribute \"{}\" is missing, which it must have", name);
  }
  for (const auto& given : node.attribute()) {
    // ONNX Runtime's own marks begin so.
    if (given.name().starts_with("__")) continue;
    const auto found = schema.attributes().find(given.name());
    if (found == schema.attributes().end()) return fmt::format("ONNX knows no attribute \"{}\" of it", given.name());
    if (given.ref_attr_name().empty() && given.type() != found->second.type)
      return fmt::format("the attribute \"{}\" is of another type than ONNX wants", given.name());
  }
  return "";
}

// The library's own row of an operator; nothing where ours stands for it or where the operator has grown since.
const OpSchema* exact_schema(const onnx::NodeProto& node, int opset) {
  if (has_outgrown_library(node.op_type(), opset)) return nullptr;
  const OpSchema* schema = onnx::OpSchemaRegistry::Instance()->GetSchema(node.op_type(), opset, "");
  const bool is_ours = strict_schemas().GetSchema(node.op_type(), opset, "") != schema;
  return schema == nullptr || is_ours || schema->Deprecated() ? nullptr : schema;
}

// Inner nodes are told with their names.
std::string label(const onnx::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return fmt::format("{} \"{}\"", node.op_type(), name);
}

std::string form_fault(const onnx::NodeProto& node, const Opsets& opsets) {
  const auto opset = opsets.find("");
  if (!plain(node.domain()).empty() || opset == opsets.end()) return "";
  if (!is_operator_name(node.op_type()))
    return node.op_type().empty() ? "it names no operator" : fmt::format("ONNX has no operator \"{}\"", node.op_type());
  const OpSchema* schema = exact_schema(node, opset->second);
  if (schema == nullptr) return "";
  std::string fault = wrong_count("input", node.input_size(), schema->min_input(), schema->max_input());
  if (fault.empty()) fault = wrong_count("output", node.output_size(), schema->min_output(), schema->max_output());
  return fault.empty() ? wrong_attributes(node, *schema) : fault;
}

// The same with all nodes in the branches; protobuf bounds the depth of the file.
std::string deep_form_fault(const onnx::NodeProto& node, const Opsets& opsets) {
  if (std::string fault = form_fault(node, opsets); !fault.empty()) return fault;
  auto inside = [&](const onnx::GraphProto& branch) -> std::string {
    for (const auto& inner : branch.node())
      if (const std::string fault = deep_form_fault(inner, opsets); !fault.empty()) return fmt::format("{} in it: {}", label(inner), fault);
    return "";
  };
  for (const auto& attribute : node.attribute()) {
    if (!attribute.has_g()) continue;
    if (std::string fault = inside(attribute.g()); !fault.empty()) return fault;
  }
  return "";
}

void for_each_value(onnx::GraphProto& graph, const auto& act) {
  for (auto& value : *graph.mutable_input()) act(value);
  for (auto& value : *graph.mutable_value_info()) act(value);
  for (auto& value : *graph.mutable_output()) act(value);
}

Types types_of(onnx::GraphProto& graph) {
  Types types;
  for_each_value(graph, [&](const onnx::ValueInfoProto& value) { types.emplace(value.name(), value.type()); });
  for (const auto& tensor : graph.initializer()) types[tensor.name()].mutable_tensor_type()->set_elem_type(tensor.data_type());
  return types;
}

std::string type_name(int code) {
  const auto dtype = dtype_from_onnx(code);
  return dtype ? std::string(name(*dtype)) : fmt::format("type {}", code);
}

// Inputs that share a letter of the schema are of one type.
std::string mixed_types(const onnx::NodeProto& node, const OpSchema& schema, const Types& types) {
  std::map<std::string, std::pair<std::string, int>> bound;
  for (int i = 0; i < node.input_size(); ++i) {
    const auto place = static_cast<std::size_t>(std::min(i, static_cast<int>(schema.inputs().size()) - 1));
    const auto& formal = schema.inputs()[place];
    const auto type = types.find(node.input(i));
    if (!formal.GetIsHomogeneous() || node.input(i).empty() || type == types.end() || !type->second.has_tensor_type()) continue;
    const int code = type->second.tensor_type().elem_type();
    if (code == 0 || formal.GetTypeStr().find('(') != std::string::npos) continue;
    const auto [first, added] = bound.emplace(formal.GetTypeStr(), std::pair(node.input(i), code));
    if (!added && first->second.second != code)
      return fmt::format("its inputs must be of one type, but \"{}\" is {} and \"{}\" is {}", first->second.first,
                         type_name(first->second.second), node.input(i), type_name(code));
  }
  return "";
}

// Codes that the library does not know yet would be faults to it.
bool knows_types(onnx::GraphProto& graph) {
  bool known = true;
  auto see = [&](std::int64_t code) {
    known = known && code <= std::numeric_limits<int>::max() && onnx::TensorProto::DataType_IsValid(static_cast<int>(code));
  };
  for_each_value(graph, [&](const onnx::ValueInfoProto& value) { see(value.type().tensor_type().elem_type()); });
  for (const auto& tensor : graph.initializer()) see(tensor.data_type());
  for (auto& node : *graph.mutable_node())
    for (auto& attribute : *node.mutable_attribute()) {
      if (attribute.name() == "to" || attribute.name() == "dtype" || attribute.name() == "output_dtype") see(attribute.i());
      if (attribute.has_t()) see(attribute.t().data_type());
      if (attribute.has_g()) known = known && knows_types(*attribute.mutable_g());
    }
  return known;
}

// Forms for which older libraries infer other shapes than newer ones: a last window that begins outside, pads that follow from the input.
bool has_disputed_shapes(const onnx::GraphProto& graph) {
  for (const auto& node : graph.node())
    for (const auto& attribute : node.attribute()) {
      if (attribute.name() == "ceil_mode" && attribute.i() != 0) return true;
      if (attribute.name() == "auto_pad" && attribute.s().starts_with("SAME")) return true;
      if (attribute.has_g() && has_disputed_shapes(attribute.g())) return true;
    }
  return false;
}

std::string shape_text(const onnx::TypeProto& type) {
  std::string text;
  for (const auto& dim : type.tensor_type().shape().dim())
    text += (text.empty() ? "" : ", ") + (dim.has_dim_value()       ? std::to_string(dim.dim_value())
                                          : dim.dim_param().empty() ? "?"
                                                                    : dim.dim_param());
  return "[" + text + "]";
}

// Two shapes that cannot be one.
bool contradict(const onnx::TypeProto& a, const onnx::TypeProto& b) {
  if (!a.has_tensor_type() || !b.has_tensor_type() || !a.tensor_type().has_shape() || !b.tensor_type().has_shape()) return false;
  const auto &one = a.tensor_type().shape(), &other = b.tensor_type().shape();
  if (one.dim_size() != other.dim_size()) return true;
  for (int i = 0; i < one.dim_size(); ++i)
    if (one.dim(i).has_dim_value() && other.dim(i).has_dim_value() && one.dim(i).dim_value() != other.dim(i).dim_value()) return true;
  return false;
}

// Shapes that the file states beyond its inputs are hints, which must not stop inference; an output that lies is told apart.
void forget_stated_shapes(onnx::GraphProto& graph) {
  for (auto* values : {graph.mutable_value_info(), graph.mutable_output()})
    for (auto& value : *values)
      if (value.type().has_tensor_type()) value.mutable_type()->mutable_tensor_type()->clear_shape();
  for (auto& node : *graph.mutable_node())
    for (auto& attribute : *node.mutable_attribute())
      if (attribute.has_g()) forget_stated_shapes(*attribute.mutable_g());
}

// "[ShapeInferenceError] …(op_type:Add, node name: #12#): [ShapeInferenceError] Incompatible dimensions" by the numbers of the nodes.
std::map<int, std::string> by_node(const std::string& text) {
  constexpr std::string_view kMark = ", node name: #", kShapes = "[ShapeInferenceError] ";
  std::map<int, std::string> faults;
  for (std::size_t at = text.find(kMark); at != std::string::npos; at = text.find(kMark, at + 1)) {
    int place = -1;
    std::from_chars(text.data() + at + kMark.size(), text.data() + text.size(), place);
    const std::size_t begin = text.find("#): ", at + kMark.size());
    if (place < 0 || begin == std::string::npos) continue;
    std::string reason = text.substr(begin + 4, text.find("(op_type:", begin) - begin - 4);
    // A complaint about a type may only say that an operator before it is too new for the library.
    if (!reason.starts_with(kShapes)) continue;
    reason = reason.substr(kShapes.size());
    while (reason.ends_with(' ') || reason.ends_with('\n')) reason.pop_back();
    faults.emplace(place, fmt::format("its inputs do not fit together: {}", reason));
  }
  return faults;
}

std::map<int, std::string> inference_faults(onnx::ModelProto& model) {
  onnx::GraphProto& graph = *model.mutable_graph();
  std::unordered_map<std::string, onnx::TypeProto> stated;
  for (const auto& output : graph.output()) stated.emplace(output.name(), output.type());
  forget_stated_shapes(graph);
  for (int i = 0; i < graph.node_size(); ++i) graph.mutable_node(i)->set_name(fmt::format("#{}#", i));
  std::map<int, std::string> faults = by_node(infer_shapes_in_place(model, {.strict = true, .check_types = false}));
  if (!faults.empty()) return faults;
  std::unordered_map<std::string, const onnx::TypeProto*> found;
  for (const auto& output : graph.output()) found.emplace(output.name(), &output.type());
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& output : graph.node(i).output())
      if (const auto type = found.find(output); type != found.end() && contradict(*type->second, stated[output]))
        faults.emplace(i, fmt::format("its output \"{}\" becomes {}, but the file states {}", output, shape_text(*type->second),
                                      shape_text(stated[output])));
  return faults;
}

}  // namespace

std::map<int, std::string> find_node_faults(onnx::ModelProto& model) {
  const Opsets opsets = opsets_of(model);
  std::map<int, std::string> faults;
  onnx::GraphProto& graph = *model.mutable_graph();
  for (int i = 0; i < graph.node_size(); ++i)
    if (std::string fault = deep_form_fault(graph.node(i), opsets); !fault.empty()) faults.emplace(i, std::move(fault));
  if (!faults.empty() || !opsets.contains("")) return faults;
  const Types types = types_of(graph);
  for (int i = 0; i < graph.node_size(); ++i) {
    if (!plain(graph.node(i).domain()).empty()) continue;
    const OpSchema* schema = exact_schema(graph.node(i), opsets.at(""));
    if (schema == nullptr || schema->inputs().empty()) continue;
    if (std::string fault = mixed_types(graph.node(i), *schema, types); !fault.empty()) faults.emplace(i, std::move(fault));
  }
  return faults.empty() && knows_types(graph) && !has_disputed_shapes(graph) ? inference_faults(model) : faults;
}

}  // namespace fastvlm
