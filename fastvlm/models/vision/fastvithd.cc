#include "fastvlm/models/vision/fastvithd.h"

#include <cmath>

#include "fastvlm/ops/semantic.h"

namespace fastvlm::models {
namespace {

using namespace ops;

// "x = …" above a function says what it computes, in the names of the reference. Batch norms, branches and factors are folded
// into the weights (checkpoint/fuse.h), so fewer steps remain.

// What reads the kernel of a convolution from a checkpoint and folds what folds.
using Kernel = ConvWeights (*)(const Weights& w, const ConvShape& shape);

ConvShape depthwise(std::int64_t channels, std::int64_t kernel) {
  return {.in_channels = channels, .out_channels = channels, .kernel = kernel, .groups = channels};
}

ConvShape pointwise(std::int64_t in, std::int64_t out) { return {.in_channels = in, .out_channels = out}; }

// The map keeps its size, up to the stride.
Value conv(Value x, const Module& parent, const char* name, Kernel kernel, const ConvShape& shape) {
  const Module m = parent.at(name);
  return conv2d(x, kernel(m.weights(), shape), {.stride = shape.stride, .padding = shape.kernel / 2, .groups = shape.groups});
}

Value activated(Value x, const Module& parent, const char* name) {
  const Module m = parent.at(name);
  return gelu(x);
}

// x = act(conv_kxk(x) + conv_scale(x) + identity(x)), one convolution after fusing.
Value mobile_one(Value x, const Module& parent, const char* name, const ConvShape& shape) {
  return activated(conv(x, parent, name, mobile_one_conv, shape), parent, name);
}

// x: [B, 3, S, S] -> [B, C, S/4, S/4].  stem = 3x3 of stride 2, depthwise 3x3 of stride 2, 1x1
Value stem(Value x, std::int64_t channels, const Module& tower) {
  const Module m = tower.at("stem");
  ConvShape halved = depthwise(channels, 3);
  halved.stride = 2;
  x = mobile_one(x, m, "0", {.in_channels = 3, .out_channels = channels, .kernel = 3, .stride = 2});
  x = mobile_one(x, m, "1", halved);
  return m.named(mobile_one(x, m, "2", pointwise(channels, channels)));
}

// x = fc2(act(fc1(bn(conv7x7(x))))); `layer_scale` is folded into fc2.
Value conv_ffn(Value x, const VisionStage& stage, const Module& block, const std::vector<float>& layer_scale) {
  const Module m = block.at("mlp");
  const ConvShape widen = pointwise(stage.channels, stage.mlp_channels), narrow = pointwise(stage.mlp_channels, stage.channels);
  x = conv(x, m, "conv", batch_norm_conv, depthwise(stage.channels, 7));
  x = conv(x, m, "fc1", plain_conv, widen);
  x = activated(x, m, "act");
  const Module fc2 = m.at("fc2");
  const ConvWeights w = plain_conv(fc2.weights(), narrow);
  return conv2d(x, {w.weight->scaled_rows(layer_scale, "fold layer_scale"), w.bias->scaled_rows(layer_scale, "fold layer_scale")}, {});
}

// x = x + layer_scale * (mixer(x) - norm(x)), one kernel after fusing;  x = x + layer_scale * convffn(x)
Value rep_mixer_block(Value x, const VisionStage& stage, const Module& m) {
  x = conv(x, m, "token_mixer", rep_mixer_conv, depthwise(stage.channels, 3));
  auto layer_scale = m.take_values("layer_scale.gamma", {stage.channels, 1, 1});
  Value fed = conv_ffn(x, stage, m, layer_scale);
  return add(x, fed);
}

// x: [B, N, C] -> [B, N, C].  q, k, v = split(qkv(x));  x = proj(softmax((q * head_dim^-0.5) @ k^T) @ v)
// The factor of q is folded into its rows, `layer_scale` into proj.
Value token_attention(Value x, const VisionConfig& config, std::int64_t c, const Module& block, const std::vector<float>& layer_scale) {
  const Module m = block.at("token_mixer");
  const WeightPtr qkv = m.take("qkv.weight", {3 * c, c});
  const std::vector<float> scale(static_cast<std::size_t>(c), static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim))));
  auto project = [&](const char* name, const WeightPtr& weight) {
    const Module here = m.at(name);
    return linear(x, weight);
  };
  Value q = project("q", qkv->rows(0, c)->scaled_rows(scale, "fold attention scale"));
  Value k = project("k", qkv->rows(c, 2 * c));
  Value v = project("v", qkv->rows(2 * c, 3 * c));
  x = self_attention(q, k, v, c / config.head_dim);
  const Module proj = m.at("proj");
  return linear(x, proj.take("weight", {c, c})->scaled_rows(layer_scale, "fold layer_scale"),
                proj.take("bias", {c})->scaled_rows(layer_scale, "fold layer_scale"));
}

Value normalized(Value x, double epsilon, const Module& block) {
  const Module m = block.at("norm");
  const std::int64_t channels = x.dim(-1).value;
  return layer_norm(x, m.take("weight", {channels}), m.take("bias", {channels}), epsilon);
}

// x = x + layer_scale_1 * token_mixer(norm(x));  x = x + layer_scale_2 * convffn(x)
// The norm runs over the channels of each pixel, so the map becomes tokens here and not in the attention.
Value attention_block(Value x, const VisionConfig& config, const VisionStage& stage, const Module& m) {
  auto scale_1 = m.take_values("layer_scale_1.gamma", {stage.channels, 1, 1});
  auto scale_2 = m.take_values("layer_scale_2.gamma", {stage.channels, 1, 1});
  Value tokens = normalized(tokens_of_map(x), config.layer_norm_eps, m);
  Value mixed = token_attention(tokens, config, stage.channels, m, scale_1);
  x = add(x, map_of_tokens(mixed, x.dim(2).value, x.dim(3).value));
  Value fed = conv_ffn(x, stage, m, scale_2);
  return add(x, fed);
}

// [B, C, h, w] -> [B, 2C, h/2, w/2].  x = act(large_conv(x) + small_conv(x)), 7x7 of stride 2, two outputs for each input;
// x = mobile_one 1x1
Value downsample(Value x, std::int64_t channels, const Module& stage) {
  const Module m = stage.at("downsample.proj");
  const std::int64_t in = x.dim(1).value;
  const ConvShape large = {.in_channels = in, .out_channels = channels, .kernel = 7, .groups = in, .stride = 2};
  x = activated(conv(x, m, "0", large_kernel_conv, large), m, "0");
  return mobile_one(x, m, "1", pointwise(channels, channels));
}

// x = downsample(x);  x = x + pos_enc(x);  x = block(x) for each block
Value vision_stage(Value x, const VisionConfig& config, const VisionStage& stage, const Module& m) {
  if (stage.downsample) x = downsample(x, stage.channels, m);
  if (stage.pos_emb) x = conv(x, m, "pos_emb", positional_conv, depthwise(stage.channels, 7));
  const Module blocks = m.at("blocks");
  for (std::int64_t i = 0; i < stage.blocks; ++i) {
    const Module block = blocks.at(static_cast<std::size_t>(i));
    x = stage.attention ? attention_block(x, config, stage, block) : rep_mixer_block(x, stage, block);
  }
  return x;
}

// x = x * sigmoid(fc2(relu(fc1(mean(x)))))
Value squeeze_excite(Value x, std::int64_t squeezed, const Module& parent) {
  const Module m = parent.at("se");
  const std::int64_t c = x.dim(1).value;
  Value s = relu(conv(global_average_pool(x), m, "fc1", plain_conv, pointwise(c, squeezed)));
  s = sigmoid(conv(s, m, "fc2", plain_conv, pointwise(squeezed, c)));
  return mul(x, s);
}

// x = act(se(conv_kxk(x) + conv_scale(x))), 3x3 with two outputs for each channel
Value final_conv(Value x, const VisionConfig& config, const Module& tower) {
  const Module m = tower.at("final_conv");
  const std::int64_t in = x.dim(1).value;
  const ConvShape shape = {.in_channels = in, .out_channels = config.hidden_size, .kernel = 3, .groups = in};
  x = conv2d(x, mobile_one_conv(m.weights(), shape), {.padding = 1, .groups = in});
  return gelu(squeeze_excite(x, config.squeeze_channels, m));
}

}  // namespace

// x = stem(x);  x = stage(x) for five stages;  x = final_conv(x);  tokens = flatten(x, 2)^T
Value fastvithd(Value pixel_values, const VisionConfig& config, const Module& model) {
  const Module m = model.at("model.vision_tower");
  Value x = stem(pixel_values, config.stem_channels, m);
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const Module stage = m.at("stages." + std::to_string(i));
    x = stage.named(vision_stage(x, config, config.stages[i], stage));
  }
  return tokens_of_map(final_conv(x, config, m));
}

}  // namespace fastvlm::models
