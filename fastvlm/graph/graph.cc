#include "fastvlm/graph/graph.h"

#include <fmt/format.h>

#include "fastvlm/base/assert.h"

namespace fastvlm {

std::string module_of(const Node& node) {
  const auto slash = node.name.rfind('/');
  return slash == std::string::npos ? std::string() : node.name.substr(0, slash);
}

std::string to_string(const Dims& dims) {
  std::vector<std::string> parts;
  for (const Dim& dim : dims) parts.push_back(dim.is_static() ? std::to_string(dim.value) : dim.symbol);
  return fmt::format("[{}]", fmt::join(parts, ", "));
}

std::optional<Shape> static_shape(const Dims& dims) {
  Shape shape;
  for (const Dim& dim : dims) {
    if (!dim.is_static()) return std::nullopt;
    shape.push_back(dim.value);
  }
  return shape;
}

Dims to_dims(const Shape& shape) { return {shape.begin(), shape.end()}; }

const ValueInfo& Value::info() const {
  FASTVLM_ASSERT(graph_ != nullptr, "a value of a graph");
  return graph_->value(index_);
}

const Dim& Value::dim(int axis) const {
  if (axis < 0) axis += rank();
  FASTVLM_ASSERT(axis >= 0 && axis < rank(), "an axis of the value");
  return dims()[static_cast<std::size_t>(axis)];
}

std::string Graph::unique_value_name(const std::string& wanted) {
  if (!value_names_.contains(wanted)) return wanted;
  std::string name;
  do name = fmt::format("{}_{}", wanted, ++name_counts_[wanted]);
  while (value_names_.contains(name));
  return name;
}

int Graph::add_value(ValueInfo info) {
  info.name = unique_value_name(info.name);
  const int index = static_cast<int>(values_.size());
  value_names_[info.name] = index;
  values_.push_back(std::move(info));
  return index;
}

Value Graph::add_input(std::string name, Dtype dtype, Dims dims) {
  FASTVLM_ASSERT(!value_names_.contains(name), "a new name for each input");
  inputs_.push_back(add_value({.name = std::move(name), .dtype = dtype, .dims = std::move(dims)}));
  return {this, inputs_.back()};
}

void Graph::set_encoding(int value, WeightEncoding encoding) {
  ValueInfo& info = values_[static_cast<std::size_t>(value)];
  FASTVLM_ASSERT(info.weight != nullptr, "only a weight has an encoding");
  info.encoding = encoding;
}

void Graph::rename(Value value, const std::string& name) {
  ValueInfo& info = values_[static_cast<std::size_t>(value.index())];
  if (info.name == name) return;
  value_names_.erase(info.name);
  info.name = unique_value_name(name);
  value_names_[info.name] = value.index();
}

void Graph::add_output(Value value, const std::string& name) {
  rename(value, name);
  FASTVLM_ASSERT(value.name() == name, "a new name for each output");
  outputs_.push_back(value.index());
}

Value Graph::add_weight(const WeightPtr& weight, const std::string& name, Dtype dtype) {
  const std::string key = fmt::format("{}|{}|{}", name, fastvlm::name(dtype), weight->identity());
  if (auto at = weights_.find(key); at != weights_.end()) return {this, at->second};
  const int index = add_value({.name = name, .dtype = dtype, .dims = to_dims(weight->shape()), .weight = weight});
  weights_[key] = index;
  return {this, index};
}

Value Graph::add_constant(Tensor tensor) {
  std::string key = fmt::format("{}{}", fastvlm::name(tensor.dtype), to_string(tensor.shape));
  key.append(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
  if (auto at = constants_.find(key); at != constants_.end()) return {this, at->second};
  Dims dims = to_dims(tensor.shape);
  Dtype dtype = tensor.dtype;
  int index =
      add_value({.name = fmt::format("constant_{}", constants_.size()), .dtype = dtype, .dims = dims, .constant = std::move(tensor)});
  constants_[key] = index;
  return {this, index};
}

std::vector<Value> Graph::add_node(std::string domain, std::string op, std::vector<Value> inputs, std::vector<OutputSpec> outputs,
                                   Attributes attributes) {
  Node node{.domain = std::move(domain), .op = std::move(op), .attributes = std::move(attributes)};
  std::string wanted = scope_.empty() ? node.op : scope_ + "/" + node.op;
  int& count = name_counts_["node " + wanted];
  node.name = count == 0 ? wanted : fmt::format("{}_{}", wanted, count);
  ++count;
  for (const Value& input : inputs) {
    FASTVLM_ASSERT(!input || &input.graph() == this, "inputs of the same graph");
    node.inputs.push_back(input ? input.index() : -1);
  }
  std::vector<Value> results;
  const int producer = static_cast<int>(nodes_.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::string name = outputs.size() == 1 ? node.name + ":0" : fmt::format("{}:{}", node.name, i);
    int index = add_value({.name = std::move(name), .dtype = outputs[i].dtype, .dims = std::move(outputs[i].dims), .producer = producer});
    node.outputs.push_back(index);
    results.emplace_back(this, index);
  }
  nodes_.push_back(std::move(node));
  return results;
}

Value Graph::find(const std::string& name) {
  auto at = value_names_.find(name);
  return at == value_names_.end() ? Value() : Value(this, at->second);
}

void Graph::keep_nodes(const std::vector<bool>& keep) {
  FASTVLM_ASSERT(keep.size() == nodes_.size(), "a flag for each node");
  std::vector<Node> kept;
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const int index = keep[i] ? static_cast<int>(kept.size()) : -1;
    for (int output : nodes_[i].outputs) values_[static_cast<std::size_t>(output)].producer = index;
    if (keep[i]) kept.push_back(std::move(nodes_[i]));
  }
  nodes_ = std::move(kept);
}

void Graph::replace_uses(int from, int to) {
  for (Node& node : nodes_)
    for (int& input : node.inputs)
      if (input == from) input = to;
}

Scope::Scope(Graph& graph, const std::string& name, bool absolute) : graph_(graph), outer_(graph.scope_) {
  graph_.scope_ = absolute || outer_.empty() ? name : outer_ + "." + name;
}

}  // namespace fastvlm
