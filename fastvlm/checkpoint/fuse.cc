#include "fastvlm/checkpoint/fuse.h"

#include <cmath>

#include "fastvlm/base/model_error.h"

namespace fastvlm {
namespace {

// A kernel and its bias on the way to being summed up.
struct Kernel {
  std::vector<double> weight;
  std::vector<double> bias;
  std::vector<std::string> from;
};

Kernel zero_kernel(const ConvShape& shape) {
  return {std::vector<double>(static_cast<std::size_t>(element_count(shape.weight()))),
          std::vector<double>(static_cast<std::size_t>(shape.out_channels)),
          {}};
}

struct BatchNorm {
  std::vector<double> scale;
  std::vector<double> shift;
};

BatchNorm take_batch_norm(const Weights& w, std::int64_t channels) {
  auto gamma = w.take_values("weight", {channels}), beta = w.take_values("bias", {channels});
  auto mean = w.take_values("running_mean", {channels}), variance = w.take_values("running_var", {channels});
  BatchNorm norm;
  for (std::size_t i = 0; i < gamma.size(); ++i) {
    if (variance[i] < 0) model_error("batch_norm", w.path(), "running_var[{}] is {}, a variance cannot be negative", i, variance[i]);
    double scale = gamma[i] / std::sqrt(double{variance[i]} + kBatchNormEpsilon);
    norm.scale.push_back(scale);
    norm.shift.push_back(beta[i] - mean[i] * scale);
  }
  return norm;
}

// Adds `factor` times a smaller centred kernel (or one of the same size) under a batch norm.
void add_branch(Kernel& sum, const ConvShape& shape, const Weights& w, std::int64_t kernel, double factor) {
  ConvShape branch = shape;
  branch.kernel = kernel;
  auto weight = w.take_values("conv.weight", branch.weight());
  BatchNorm norm = take_batch_norm(w.at("bn"), shape.out_channels);
  const std::int64_t margin = (shape.kernel - kernel) / 2;
  std::size_t at = 0;
  for (std::int64_t o = 0; o < shape.out_channels; ++o) {
    for (std::int64_t i = 0; i < shape.group_width(); ++i)
      for (std::int64_t y = 0; y < kernel; ++y)
        for (std::int64_t x = 0; x < kernel; ++x) {
          auto to = ((o * shape.group_width() + i) * shape.kernel + y + margin) * shape.kernel + x + margin;
          sum.weight[static_cast<std::size_t>(to)] += factor * weight[at++] * norm.scale[static_cast<std::size_t>(o)];
        }
    sum.bias[static_cast<std::size_t>(o)] += factor * norm.shift[static_cast<std::size_t>(o)];
  }
  sum.from.push_back(w.path());
}

// Adds scale[o] at the middle of the kernel that leads from channel o to itself.
void add_identity(Kernel& sum, const ConvShape& shape, const std::vector<double>& scale) {
  const std::int64_t middle = shape.kernel / 2;
  for (std::int64_t o = 0; o < shape.out_channels; ++o) {
    auto at = ((o * shape.group_width() + o % shape.group_width()) * shape.kernel + middle) * shape.kernel + middle;
    sum.weight[static_cast<std::size_t>(at)] += scale[static_cast<std::size_t>(o)];
  }
}

void add_identity_norm(Kernel& sum, const ConvShape& shape, const Weights& w, double factor) {
  BatchNorm norm = take_batch_norm(w, shape.out_channels);
  for (double& s : norm.scale) s *= factor;
  add_identity(sum, shape, norm.scale);
  for (std::size_t o = 0; o < sum.bias.size(); ++o) sum.bias[o] += factor * norm.shift[o];
  sum.from.push_back(w.path());
}

void add_mobile_one(Kernel& sum, const ConvShape& shape, const Weights& w) {
  for (std::size_t n = 0; w.has_module("conv_kxk." + std::to_string(n)); ++n)
    add_branch(sum, shape, w.at("conv_kxk").at(n), shape.kernel, 1);
  if (w.has_module("conv_scale")) add_branch(sum, shape, w.at("conv_scale"), 1, 1);
  if (w.has_module("identity")) add_identity_norm(sum, shape, w.at("identity"), 1);
}

std::vector<float> rounded(const std::vector<double>& values) { return {values.begin(), values.end()}; }

ConvWeights as_weights(const Kernel& kernel, const ConvShape& shape, const char* done, const Weights& w) {
  if (kernel.from.empty())
    model_error("conv", w.path(), "neither a fused convolution (reparam_conv) nor the branches to fuse are in the checkpoint");
  auto weight = rounded(kernel.weight), bias = rounded(kernel.bias);
  return {.weight = Weight::computed(
              shape.weight(), [weight]() -> Result<std::vector<float>> { return weight; }, kernel.from, done),
          .bias = Weight::computed({shape.out_channels}, [bias]() -> Result<std::vector<float>> { return bias; }, kernel.from, done)};
}

ConvWeights take_fused(const Weights& w, const ConvShape& shape) {
  return {.weight = w.take("reparam_conv.weight", shape.weight()), .bias = w.take("reparam_conv.bias", {shape.out_channels})};
}

}  // namespace

ConvWeights plain_conv(const Weights& w, const ConvShape& shape) {
  return {.weight = w.take("weight", shape.weight()), .bias = w.take("bias", {shape.out_channels})};
}

ConvWeights mobile_one_conv(const Weights& w, const ConvShape& shape) {
  if (w.has("reparam_conv.weight")) return take_fused(w, shape);
  Kernel sum = zero_kernel(shape);
  add_mobile_one(sum, shape, w);
  return as_weights(sum, shape, "fuse branches", w);
}

ConvWeights large_kernel_conv(const Weights& w, const ConvShape& shape) {
  if (w.has("reparam_conv.weight")) return take_fused(w, shape);
  Kernel sum = zero_kernel(shape);
  if (w.has_module("large_conv")) add_branch(sum, shape, w.at("large_conv"), shape.kernel, 1);
  if (w.has_module("small_conv")) add_branch(sum, shape, w.at("small_conv"), 3, 1);
  return as_weights(sum, shape, "fuse branches", w);
}

ConvWeights rep_mixer_conv(const Weights& w, const ConvShape& shape) {
  if (w.has("reparam_conv.weight")) return take_fused(w, shape);
  Kernel mixed = zero_kernel(shape);
  add_mobile_one(mixed, shape, w.at("mixer"));
  if (w.has_module("norm.identity")) add_identity_norm(mixed, shape, w.at("norm").at("identity"), -1);
  if (!mixed.from.empty()) {
    auto gamma = w.take_values("layer_scale.gamma", {shape.out_channels, 1, 1});
    const std::size_t taps = mixed.weight.size() / mixed.bias.size();
    for (std::size_t i = 0; i < mixed.weight.size(); ++i) mixed.weight[i] *= gamma[i / taps];
    for (std::size_t o = 0; o < mixed.bias.size(); ++o) mixed.bias[o] *= gamma[o];
    add_identity(mixed, shape, std::vector<double>(gamma.size(), 1.0));
  }
  return as_weights(mixed, shape, "fuse branches", w);
}

ConvWeights positional_conv(const Weights& w, const ConvShape& shape) {
  if (w.has("reparam_conv.weight")) return take_fused(w, shape);
  Kernel sum = zero_kernel(shape);
  if (w.has("pos_enc.weight")) {
    auto weight = w.take_values("pos_enc.weight", shape.weight()), bias = w.take_values("pos_enc.bias", {shape.out_channels});
    sum.weight.assign(weight.begin(), weight.end());
    sum.bias.assign(bias.begin(), bias.end());
    add_identity(sum, shape, std::vector<double>(bias.size(), 1.0));
    sum.from.push_back(w.at("pos_enc").path());
  }
  return as_weights(sum, shape, "fuse branches", w);
}

ConvWeights batch_norm_conv(const Weights& w, const ConvShape& shape) {
  Kernel sum = zero_kernel(shape);
  add_branch(sum, shape, w, shape.kernel, 1);
  return as_weights(sum, shape, "fold batch_norm", w);
}

bool in_training_form(const Weights& vision_tower) {
  return vision_tower.has_module("stem.0.conv_kxk") || vision_tower.has_module("final_conv.conv_kxk");
}

}  // namespace fastvlm
