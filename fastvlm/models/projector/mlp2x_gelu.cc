#include "fastvlm/models/projector/mlp2x_gelu.h"

#include "fastvlm/ops/semantic.h"

namespace fastvlm::models {

Value mlp2x_gelu(Value x, std::int64_t hidden_size, const Weights& w) {
  Graph& graph = x.graph();
  Scope scope(graph, "model.multi_modal_projector");
  auto layer = [&](Value in, const char* name) {
    Scope inner(graph, name);
    Weights weights = w.at(name);
    return ops::linear(in, weights.take("weight", {hidden_size, in.dim(-1).value}), weights.take("bias", {hidden_size}));
  };
  return layer(ops::gelu(layer(x, "linear_1")), "linear_2");
}

}  // namespace fastvlm::models
