// A module of a model: the place in the graph whose name new nodes carry, and the place in the checkpoint whose tensors they
// take, under one path. at() moves both.
//
// A function of a model page gets the module around it and opens its own:
//   Value mlp(Value x, const Module& layer) {
//     const Module m = layer.at("mlp");
//     …m.take("fc.weight", shape)…
// As long as `m` lives, nodes are made inside it. Modules close in the reverse of the order in which they were opened.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/graph/graph.h"

namespace fastvlm {

class Module {
 public:
  Module(Graph& graph, const Weights& weights) : graph_(graph), weights_(weights), scope_(graph, weights.path(), /*absolute=*/true) {}
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  // "mlp", or several steps at once: "downsample.proj". It must be the innermost open module, which alone can be descended.
  [[nodiscard]] Module at(std::string_view name) const {
    FASTVLM_ASSERT(graph_.scope() == path(), "the innermost open module");
    return {graph_, weights_.at(name)};
  }
  [[nodiscard]] Module at(std::size_t index) const { return at(std::to_string(index)); }

  Graph& graph() const { return graph_; }
  const Weights& weights() const { return weights_; }
  const std::string& path() const { return weights_.path(); }

  bool has(std::string_view name) const { return weights_.has(name); }
  WeightPtr take(std::string_view name, const Shape& shape) const { return weights_.take(name, shape); }
  std::vector<float> take_values(std::string_view name, const Shape& shape) const { return weights_.take_values(name, shape); }

  // Gives a value the module's own name, under which runs of several graphs are compared.
  Value named(Value output) const {
    graph_.rename(output, path());
    return output;
  }

 private:
  Graph& graph_;
  Weights weights_;
  Scope scope_;
};

}  // namespace fastvlm
