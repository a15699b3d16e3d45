#include "fastvlm/models/vision/fastvithd.h"

#include <cmath>

#include "fastvlm/ops/semantic.h"

namespace fastvlm::models {
namespace {

using namespace ops;

Value conv(Value x, const std::string& name, const ConvWeights& weights, const ConvShape& shape, std::int64_t stride = 1) {
  Scope scope(x.graph(), name);
  return conv2d(x, weights, {.stride = stride, .padding = shape.kernel / 2, .groups = shape.groups});
}

Value activated(Value x, const std::string& name) {
  Scope scope(x.graph(), name);
  return gelu(x);
}

ConvShape depthwise(std::int64_t channels, std::int64_t kernel) {
  return {.in_channels = channels, .out_channels = channels, .kernel = kernel, .groups = channels};
}

// Three MobileOne convolutions.  x: [B, 3, S, S] -> [B, C, S/4, S/4]
Value stem(Value x, std::int64_t channels, const Weights& w) {
  Scope scope(x.graph(), "stem");
  struct Step {
    ConvShape shape;
    std::int64_t stride;
  };
  const Step steps[] = {{{.in_channels = 3, .out_channels = channels, .kernel = 3}, 2},
                        {depthwise(channels, 3), 2},
                        {{.in_channels = channels, .out_channels = channels}, 1}};
  for (std::size_t i = 0; i < std::size(steps); ++i) {
    const std::string name = std::to_string(i);
    x = activated(conv(x, name, mobile_one_conv(w.at(i), steps[i].shape), steps[i].shape, steps[i].stride), name);
  }
  return x;
}

// Depthwise 7x7 (batch norm folded), then two 1x1 convolutions; layer_scale is folded into the second.
Value conv_ffn(Value x, const VisionStage& stage, const Weights& w, const std::vector<float>& layer_scale) {
  Scope scope(x.graph(), "mlp");
  const ConvShape spatial = depthwise(stage.channels, 7);
  x = conv(x, "conv", batch_norm_conv(w.at("conv"), spatial), spatial);
  const ConvShape widen = {.in_channels = stage.channels, .out_channels = stage.mlp_channels};
  x = conv(x, "fc1", {w.take("fc1.weight", widen.weight()), w.take("fc1.bias", {stage.mlp_channels})}, widen);
  x = activated(x, "act");
  const ConvShape narrow = {.in_channels = stage.mlp_channels, .out_channels = stage.channels};
  return conv(x, "fc2",
              {w.take("fc2.weight", narrow.weight())->scaled_rows(layer_scale, "fold layer_scale"),
               w.take("fc2.bias", {stage.channels})->scaled_rows(layer_scale, "fold layer_scale")},
              narrow);
}

// t = mixer(x); t + layer_scale * ffn(t).  The mixer's own residual is in its kernel.
Value rep_mixer_block(Value x, const VisionStage& stage, const Weights& w) {
  const ConvShape mixer = depthwise(stage.channels, 3);
  Value mixed = conv(x, "token_mixer", rep_mixer_conv(w.at("token_mixer"), mixer), mixer);
  auto layer_scale = w.take_values("layer_scale.gamma", {stage.channels, 1, 1});
  return add(mixed, conv_ffn(mixed, stage, w.at("mlp"), layer_scale));
}

// Multi-head attention over the pixels of a map.  x: [B, N, C] -> [B, N, C]; layer_scale and 1/sqrt(head_dim) are folded.
Value token_attention(Value x, const VisionConfig& config, const VisionStage& stage, const Weights& w,
                      const std::vector<float>& layer_scale) {
  Scope scope(x.graph(), "token_mixer");
  const std::int64_t c = stage.channels;
  auto qkv = w.take("qkv.weight", {3 * c, c});
  const std::vector<float> scale(static_cast<std::size_t>(c), static_cast<float>(1 / std::sqrt(static_cast<double>(config.head_dim))));
  auto project = [&](const char* name, const WeightPtr& weight) {
    Scope inner(x.graph(), name);
    return linear(x, weight);
  };
  Value q = project("q", qkv->rows(0, c)->scaled_rows(scale, "fold attention scale"));
  Value k = project("k", qkv->rows(c, 2 * c));
  Value v = project("v", qkv->rows(2 * c, 3 * c));
  Value mixed = self_attention(q, k, v, c / config.head_dim);
  Scope proj(x.graph(), "proj");
  return linear(mixed, w.take("proj.weight", {c, c})->scaled_rows(layer_scale, "fold layer_scale"),
                w.take("proj.bias", {c})->scaled_rows(layer_scale, "fold layer_scale"));
}

Value attention_block(Value x, const VisionConfig& config, const VisionStage& stage, const Weights& w) {
  Graph& graph = x.graph();
  auto scale_1 = w.take_values("layer_scale_1.gamma", {stage.channels, 1, 1});
  auto scale_2 = w.take_values("layer_scale_2.gamma", {stage.channels, 1, 1});
  Value tokens = tokens_of_map(x);
  {
    Scope scope(graph, "norm");
    Weights norm = w.at("norm");
    tokens = layer_norm(tokens, norm.take("weight", {stage.channels}), norm.take("bias", {stage.channels}), config.layer_norm_eps);
  }
  Value mixed = token_attention(tokens, config, stage, w.at("token_mixer"), scale_1);
  x = add(x, map_of_tokens(mixed, x.dim(2).value, x.dim(3).value));
  return add(x, conv_ffn(x, stage, w.at("mlp"), scale_2));
}

// 7x7 stride 2 with two outputs for each input channel, then 1x1; a GELU behind each.  [B, C, h, w] -> [B, 2C, h/2, w/2]
Value downsample(Value x, std::int64_t channels, const Weights& w) {
  Scope scope(x.graph(), "downsample.proj");
  const std::int64_t in = x.dim(1).value;
  const ConvShape large = {.in_channels = in, .out_channels = channels, .kernel = 7, .groups = in};
  x = activated(conv(x, "0", large_kernel_conv(w.at("proj").at("0"), large), large, 2), "0");
  const ConvShape point = {.in_channels = channels, .out_channels = channels};
  return activated(conv(x, "1", mobile_one_conv(w.at("proj").at("1"), point), point), "1");
}

Value vision_stage(Value x, const VisionConfig& config, const VisionStage& stage, const Weights& w) {
  if (stage.downsample) x = downsample(x, stage.channels, w.at("downsample"));
  if (stage.pos_emb) {
    const ConvShape shape = depthwise(stage.channels, 7);
    x = conv(x, "pos_emb", positional_conv(w.at("pos_emb"), shape), shape);
  }
  Scope scope(x.graph(), "blocks");
  for (std::int64_t i = 0; i < stage.blocks; ++i) {
    Scope block(x.graph(), std::to_string(i));
    Weights blocks = w.at("blocks").at(static_cast<std::size_t>(i));
    x = stage.attention ? attention_block(x, config, stage, blocks) : rep_mixer_block(x, stage, blocks);
  }
  return x;
}

// sigmoid(W2 relu(W1 mean(x))) as a factor for each channel.
Value squeeze_excite(Value x, std::int64_t squeezed, const Weights& w) {
  Scope scope(x.graph(), "se");
  const std::int64_t c = x.dim(1).value;
  const ConvShape reduce = {.in_channels = c, .out_channels = squeezed}, expand = {.in_channels = squeezed, .out_channels = c};
  Value s = global_average_pool(x);
  s = relu(conv(s, "fc1", {w.take("fc1.weight", reduce.weight()), w.take("fc1.bias", {squeezed})}, reduce));
  s = sigmoid(conv(s, "fc2", {w.take("fc2.weight", expand.weight()), w.take("fc2.bias", {c})}, expand));
  return mul(x, s);
}

// 3x3 with two outputs for each channel, squeeze-excite, GELU.
Value final_conv(Value x, const VisionConfig& config, const Weights& w) {
  Scope scope(x.graph(), "final_conv");
  const std::int64_t in = x.dim(1).value;
  const ConvShape shape = {.in_channels = in, .out_channels = config.hidden_size, .kernel = 3, .groups = in};
  Value expanded = conv2d(x, mobile_one_conv(w, shape), {.padding = 1, .groups = in});
  return gelu(squeeze_excite(expanded, config.squeeze_channels, w.at("se")));
}

}  // namespace

Value fastvithd(Value pixel_values, const VisionConfig& config, const Weights& w) {
  Graph& graph = pixel_values.graph();
  Scope tower(graph, "model.vision_tower");
  Value x = stem(pixel_values, config.stem_channels, w.at("stem"));
  graph.rename(x, "model.vision_tower.stem");
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const std::string name = "stages." + std::to_string(i);
    Scope scope(graph, name);
    x = vision_stage(x, config, config.stages[i], w.at("stages").at(i));
    graph.rename(x, "model.vision_tower." + name);
  }
  return tokens_of_map(final_conv(x, config, w.at("final_conv")));
}

std::int64_t fastvithd_macs(const VisionConfig& config, std::int64_t image_size) {
  const std::int64_t c0 = config.stem_channels;
  std::int64_t half = (image_size / 2) * (image_size / 2), pixels = half / 4;
  std::int64_t macs = half * 27 * c0 + pixels * (9 * c0 + c0 * c0);
  for (const VisionStage& stage : config.stages) {
    const std::int64_t c = stage.channels;
    if (stage.downsample) pixels /= 4, macs += pixels * (49 * c + c * c);
    if (stage.pos_emb) macs += pixels * 49 * c;
    const std::int64_t ffn = pixels * (49 * c + 2 * c * stage.mlp_channels);
    const std::int64_t mixer = stage.attention ? pixels * 4 * c * c + 2 * pixels * pixels * c : pixels * 9 * c;
    macs += stage.blocks * (ffn + mixer);
  }
  return macs + pixels * 9 * config.hidden_size + 2 * config.hidden_size * config.squeeze_channels;
}

}  // namespace fastvlm::models
