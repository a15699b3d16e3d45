#include "fastvlm/models/projector/mlp2x_gelu.h"

#include "fastvlm/ops/semantic.h"

namespace fastvlm::models {
namespace {

Value layer(Value x, std::int64_t out, const Module& projector, const char* name) {
  const Module m = projector.at(name);
  return ops::linear(x, m.take("weight", {out, x.dim(-1).value}), m.take("bias", {out}));
}

}  // namespace

// linear_2(gelu(linear_1(x)))
Value mlp2x_gelu(Value x, std::int64_t hidden_size, const Module& model) {
  const Module m = model.at("model.multi_modal_projector");
  x = ops::gelu(layer(x, hidden_size, m, "linear_1"));
  return layer(x, hidden_size, m, "linear_2");
}

}  // namespace fastvlm::models
