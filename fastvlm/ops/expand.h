// Expansion: a semantic graph becomes a graph of basic operators, node by node. The table says how; a target's table may
// replace any row of the reference.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/graph/graph.h"
#include "fastvlm/ops/gelu_form.h"

namespace fastvlm::ops {

// What an expansion sees of its node: inputs already in the new graph, weights as recipes.
class ExpansionContext {
 public:
  ExpansionContext(Graph& to, const Graph& from, const Node& node, std::vector<Value>& mapped, const GeluForms& gelus)
      : to_(to), from_(from), node_(node), mapped_(mapped), gelus_(gelus) {}
  Graph& graph() const { return to_; }
  const Node& node() const { return node_; }
  std::size_t input_count() const { return node_.inputs.size(); }
  const ValueInfo& source(std::size_t i) const { return from_.value(node_.inputs[i]); }
  // Input i in the new graph.
  Value input(std::size_t i) const;
  // A weight among the inputs: its recipe and its name, to be added in the layout that the expansion wants.
  const WeightPtr& weight(std::size_t i) const { return source(i).weight; }
  Value add_weight(const WeightPtr& weight, std::size_t named_after, const std::string& suffix = "") const;
  // Of a gelu: the form that it shall have, where the target knows more than one.
  GeluForm gelu_form() const { return gelu_choice(from_, node_, gelus_).form; }

 private:
  Graph& to_;
  const Graph& from_;
  const Node& node_;
  std::vector<Value>& mapped_;
  const GeluForms& gelus_;
};

// Whether a weight is to be stored in blocks of integers.
inline bool is_in_blocks(const ValueInfo& weight) { return weight.encoding && !weight.encoding->by_channel; }

// Returns one value for each output of the node.
using Expansion = std::vector<Value> (*)(const ExpansionContext&);
using ExpansionTable = std::map<std::string, Expansion>;

// Inputs, outputs and names of the module outputs stay. A semantic op without a row is a ModelError. `origin` gets, for each node
// of the new graph, the index of the node that it came from.
std::unique_ptr<Graph> expand(const Graph& graph, const ExpansionTable& table, std::vector<int>* origin = nullptr,
                              const GeluForms& gelus = {});

}  // namespace fastvlm::ops
