#include "fastvlm/author/cached_graphs.h"

#include <fmt/format.h>

#include "fastvlm/models/decoder/qwen2.h"
#include "fastvlm/models/projector/mlp2x_gelu.h"
#include "fastvlm/models/vision/fastvithd.h"
#include "fastvlm/ops/onnxruntime_expansions.h"

namespace fastvlm {
namespace {

using namespace models;

std::unique_ptr<Graph> finished(Graph& semantic, const CachedGraphOptions& o) {
  encode_weights(semantic, o.encodings);
  return ops::expand(semantic, ops::onnxruntime_expansions());
}

}  // namespace

std::unique_ptr<Graph> image_features_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& o) {
  Graph graph("vision_encoder");
  Value pixels = graph.add_input("pixel_values", Dtype::kFloat32, {"batch_size", 3, o.image_size, o.image_size});
  {
    const Module model(graph, weights);
    Value tokens = fastvithd(ops::cast(pixels, o.dtype), config.vision, model);
    Value features = mlp2x_gelu(tokens, config.text.hidden_size, model);
    graph.add_output(ops::cast(features, Dtype::kFloat32), "image_features");
  }
  return finished(graph, o);
}

std::unique_ptr<Graph> embed_tokens_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& o) {
  Graph graph("embed_tokens");
  Value ids = graph.add_input("input_ids", Dtype::kInt64, {"batch_size", "sequence_length"});
  Value rows = qwen2_embed_tokens(ids, config.text, Module(graph, weights), o.dtype);
  graph.add_output(ops::cast(rows, Dtype::kFloat32), "inputs_embeds");
  return finished(graph, o);
}

std::unique_ptr<Graph> flat_image_features_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& o) {
  Graph graph("vision_encoder");
  Value pixels = graph.add_input("pixel_values", Dtype::kFloat32, {1, "num_images", 3, o.image_size, o.image_size});
  {
    const Module model(graph, weights);
    Value pictures = ops::reshape(pixels, {"num_images", 3, o.image_size, o.image_size});
    Value tokens = fastvithd(ops::cast(pictures, o.dtype), config.vision, model);
    Value features = mlp2x_gelu(tokens, config.text.hidden_size, model);
    features = ops::reshape(features, {"num_image_tokens", config.text.hidden_size});
    graph.add_output(ops::cast(features, Dtype::kFloat32), "image_features");
  }
  return finished(graph, o);
}

std::unique_ptr<Graph> merged_embeddings_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& o,
                                               const PictureTokens& t) {
  const std::int64_t width = config.text.hidden_size;
  Graph graph("embedding");
  Value ids = graph.add_input("input_ids", Dtype::kInt64, {"batch_size", "sequence_length"});
  Value features = graph.add_input("image_features", Dtype::kFloat32, {"num_image_tokens", width});
  auto number = [&](std::int64_t value) { return ops::scalar(graph, Dtype::kInt64, static_cast<double>(value)); };
  Value text = ops::where(ops::equal(ids, number(t.begin)), number(t.line_feed), ids);
  text = ops::where(ops::equal(ids, number(t.end)), number(t.line_feed), text);
  Value rows = ops::cast(qwen2_embed_tokens(text, config.text, Module(graph, weights), o.dtype), Dtype::kFloat32);
  // Row 0 of what is looked up stands for "no feature", so that an empty input has a row too.
  Value picture = ops::equal(ids, number(t.picture));
  Value count = ops::cumulative_sum(ops::cast(picture, Dtype::kInt64), 1);
  Value index = ops::where(picture, count, number(0));
  index = ops::where(ops::greater(index, ops::extent_of(features, 0)), number(0), index);
  const std::vector<float> none(static_cast<std::size_t>(width), 0.0f);
  Value table = ops::concat({ops::floats(graph, Dtype::kFloat32, {1, width}, none), features}, 0, "num_image_tokens + 1");
  Value merged = ops::where(ops::unsqueeze(ops::greater(index, number(0)), {2}), ops::gather_rows(table, index), rows);
  graph.add_output(merged, "inputs_embeds");
  return finished(graph, o);
}

std::unique_ptr<Graph> merged_decoder_graph(const ModelConfig& config, const Weights& weights, const CachedGraphOptions& o) {
  const TextConfig& text = config.text;
  Graph graph("decoder_model_merged");
  Value embeds = graph.add_input("inputs_embeds", Dtype::kFloat32, {"batch_size", "sequence_length", text.hidden_size});
  Value mask = graph.add_input("attention_mask", Dtype::kInt64, {"batch_size", "total_sequence_length"});
  Value position_ids = graph.add_input("position_ids", Dtype::kInt64, {"batch_size", "sequence_length"});
  const Dims slots = {"batch_size", text.num_key_value_heads, "past_sequence_length", text.head_dim};
  CachedInputs inputs{.begin = 0, .end = text.num_hidden_layers};
  for (std::int64_t i = 0; i < text.num_hidden_layers; ++i) {
    Value key = graph.add_input(fmt::format("past_key_values.{}.key", i), Dtype::kFloat32, slots);
    Value value = graph.add_input(fmt::format("past_key_values.{}.value", i), Dtype::kFloat32, slots);
    inputs.past.push_back({.key = key, .value = value});
  }
  {
    const Module model(graph, weights);
    for (ops::PastKeyValue& past : inputs.past) past = {.key = ops::cast(past.key, o.dtype), .value = ops::cast(past.value, o.dtype)};
    Value hidden = ops::cast(embeds, o.dtype);
    inputs.positions = ops::cached_positions(hidden, position_ids, mask, text.head_dim, text.rope_theta);
    CachedLayers layers = qwen2_cached_layers(hidden, inputs, text, model);
    Value logits = qwen2_lm_head(qwen2_norm(layers.hidden, text, model), text, model);
    graph.add_output(ops::cast(logits, Dtype::kFloat32), "logits");
    for (std::size_t i = 0; i < layers.present.size(); ++i) {
      graph.add_output(ops::cast(layers.present[i].key, Dtype::kFloat32), fmt::format("present.{}.key", i));
      graph.add_output(ops::cast(layers.present[i].value, Dtype::kFloat32), fmt::format("present.{}.value", i));
    }
  }
  return finished(graph, o);
}

}  // namespace fastvlm
