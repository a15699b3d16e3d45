// The graph: values, nodes in topological order, weights that are still recipes.
//
// Ownership: a Graph owns its values and nodes. A Value is a handle (graph and index), cheap to copy, good as long as its
// graph lives. Weights are shared recipes; they read from a Checkpoint, which must outlive the graph.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "fastvlm/graph/encoding.h"
#include "fastvlm/tensor/tensor.h"
#include "fastvlm/tensor/weight.h"

namespace fastvlm {

// One extent of a shape: a number, or a symbol such as "batch_size".
struct Dim {
  std::int64_t value = 0;
  std::string symbol;
  Dim(std::int64_t v) : value(v) {}                        // NOLINT(google-explicit-constructor)
  Dim(int v) : value(v) {}                                 // NOLINT(google-explicit-constructor)
  Dim(std::string s) : value(-1), symbol(std::move(s)) {}  // NOLINT(google-explicit-constructor)
  Dim(const char* s) : Dim(std::string(s)) {}              // NOLINT(google-explicit-constructor)
  bool is_static() const { return symbol.empty(); }
  bool operator==(const Dim&) const = default;
};
using Dims = std::vector<Dim>;

std::string to_string(const Dims& dims);
// The numbers of a shape without symbols, or nothing.
std::optional<Shape> static_shape(const Dims& dims);
Dims to_dims(const Shape& shape);

// ONNX knows no double; semantic nodes do.
using Attribute = std::variant<std::int64_t, float, double, std::string, std::vector<std::int64_t>>;
using Attributes = std::map<std::string, Attribute>;

// ONNX operators live in domain "", semantic ones in kSemanticDomain until they are expanded.
inline constexpr const char* kSemanticDomain = "fastvlm";
inline constexpr const char* kMicrosoftDomain = "com.microsoft";

struct Node {
  std::string domain;
  std::string op;
  std::string name;         // module path, then "/op"
  std::vector<int> inputs;  // -1: optional input left out
  std::vector<int> outputs;
  Attributes attributes;

  std::int64_t integer(const std::string& key) const { return std::get<std::int64_t>(attributes.at(key)); }
  float real(const std::string& key) const { return std::get<float>(attributes.at(key)); }
  double wide(const std::string& key) const { return std::get<double>(attributes.at(key)); }
};

struct ValueInfo {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Dims dims;
  int producer = -1;                       // index of the node, -1 for inputs and constants
  WeightPtr weight;                        // an initializer whose numbers are still a recipe
  std::optional<WeightEncoding> encoding;  // of a weight that is to be stored as integers
  std::optional<Tensor> constant;          // a small initializer
  bool is_constant() const { return weight != nullptr || constant.has_value(); }
};

class Graph;

class Value {
 public:
  Value() = default;
  Value(Graph* graph, int index) : graph_(graph), index_(index) {}
  Graph& graph() const { return *graph_; }
  int index() const { return index_; }
  const ValueInfo& info() const;
  const std::string& name() const { return info().name; }
  Dtype dtype() const { return info().dtype; }
  const Dims& dims() const { return info().dims; }
  const Dim& dim(int axis) const;  // negative: from the end
  int rank() const { return static_cast<int>(dims().size()); }
  explicit operator bool() const { return graph_ != nullptr; }

 private:
  Graph* graph_ = nullptr;
  int index_ = -1;
};

// Nodes name their outputs "module/Op:0". A name without ':' was given on purpose: to a module's output, under which graphs are
// compared, or to an input or output of the graph.
inline bool is_given_name(std::string_view name) { return !name.empty() && name.find(':') == std::string_view::npos; }

// The path of the module that made the node; "" outside of all.
std::string module_of(const Node& node);

struct OutputSpec {
  Dtype dtype = Dtype::kFloat32;
  Dims dims;
};

class Graph {
 public:
  explicit Graph(std::string name) : name_(std::move(name)) {}
  Graph(const Graph&) = delete;  // values point here
  Graph& operator=(const Graph&) = delete;

  const std::string& name() const { return name_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<ValueInfo>& values() const { return values_; }
  const std::vector<int>& inputs() const { return inputs_; }
  const std::vector<int>& outputs() const { return outputs_; }
  const ValueInfo& value(int index) const { return values_[static_cast<std::size_t>(index)]; }

  Value add_input(std::string name, Dtype dtype, Dims dims);
  // Gives the value this name and makes it an output.
  void add_output(Value value, const std::string& name);
  // A weight under a name; the same name with the same identity is one initializer.
  Value add_weight(const WeightPtr& weight, const std::string& name, Dtype dtype = Dtype::kFloat32);
  // A small constant; equal ones are one initializer.
  Value add_constant(Tensor tensor);
  // Inputs may be empty handles (optional inputs). The node is named after the scope and the op.
  std::vector<Value> add_node(std::string domain, std::string op, std::vector<Value> inputs, std::vector<OutputSpec> outputs,
                              Attributes attributes = {});
  // Renames a value, for probes and outputs. A name that is taken gets a number.
  void rename(Value value, const std::string& name);

  // How the numbers of a weight are to be stored; an expansion that knows the form heeds it.
  void set_encoding(int value, WeightEncoding encoding);

  // The current module path; nodes made while a Scope lives carry it in their names.
  const std::string& scope() const { return scope_; }
  // The value of that name, or an empty handle.
  Value find(const std::string& name);

  // Keeps the nodes whose flag is set, in their order (for passes).
  void keep_nodes(const std::vector<bool>& keep);
  // Every use of `from` becomes a use of `to`.
  void replace_uses(int from, int to);

 private:
  friend class Scope;
  std::string unique_value_name(const std::string& wanted);
  int add_value(ValueInfo info);

  std::string name_;
  std::string scope_;
  std::vector<ValueInfo> values_;
  std::vector<Node> nodes_;
  std::vector<int> inputs_, outputs_;
  std::unordered_map<std::string, int> value_names_;
  std::unordered_map<std::string, int> name_counts_;
  std::unordered_map<std::string, int> constants_;  // by content
  std::unordered_map<std::string, int> weights_;    // by wanted name, type and identity
};

// Descends into a module for as long as it lives.
class Scope {
 public:
  Scope(Graph& graph, const std::string& name, bool absolute = false);
  ~Scope() { graph_.scope_ = std::move(outer_); }
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

 private:
  Graph& graph_;
  std::string outer_;
};

}  // namespace fastvlm
