#include "fastvlm/author/static_graphs.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/models/decoder/qwen2.h"
#include "fastvlm/models/projector/mlp2x_gelu.h"
#include "fastvlm/models/vision/fastvithd.h"

namespace fastvlm {
namespace {

using namespace models;

// A semantic graph as the target wants it: streams scaled, weights encoded, operators expanded. Integers have a range of their own for
// each activation, that of the numbers as they are. The seams between the parts of a decoder carry the scaled stream.
std::unique_ptr<Graph> finished(Graph& semantic, const NpuOptions& options, const Target& target, const Recipe& recipe = {},
                                std::vector<ops::ChosenGelu>* gelus = nullptr) {
  const bool integers = recipe.activations != Activations::kFloat && target.integer_expansions != nullptr;
  std::unique_ptr<Graph> scaled;
  if (!options.scales.empty() && !integers) scaled = ops::rescaled(semantic, options.scales.halvings, {kHiddenStatesIn, kHiddenStatesOut});
  Graph& graph = scaled ? *scaled : semantic;
  if (gelus != nullptr && !integers) *gelus = ops::chosen_gelus(graph, options.gelus);
  encode_weights(graph, recipe.rules);
  return ops::expand(graph, integers ? target.integer_expansions() : target.expansions(), nullptr, options.gelus);
}

// What a recipe makes of a graph: its name stands in that of the graph, unless it leaves all as it is.
std::string recipe_name(const Recipe& recipe) { return recipe.is_float() ? std::string() : recipe.name; }

// [1, 3, S, S] -> image_features [1, N, H], tower and projector.
void add_vision(Graph& graph, const ModelConfig& config, const Weights& w, Value pixels) {
  const Module model(graph, w);
  Value tokens = fastvithd(pixels, config.vision, model);
  graph.add_output(mlp2x_gelu(tokens, config.text.hidden_size, model), "image_features");
}

Value pixel_input(Graph& graph, Dtype dtype, std::int64_t size) { return graph.add_input("pixel_values", dtype, {1, 3, size, size}); }

NpuGraph vision_graph(const ModelConfig& config, const Weights& w, const NpuOptions& options, const Target& target, std::int64_t size) {
  const GraphExtents extents{.image_size = size, .recipe = recipe_name(options.vision_recipe)};
  Graph graph(graph_name(GraphRole::kVision, extents));
  add_vision(graph, config, w, pixel_input(graph, options.io_dtype, size));
  NpuGraph vision{.role = GraphRole::kVision, .extents = extents};
  vision.graph = finished(graph, options, target, options.vision_recipe, &vision.gelus);
  return vision;
}

struct DecoderGraph {
  std::int64_t new_tokens = 1;
  DecoderPart part;
  const Recipe& recipe;
  std::int64_t index = 1;
  std::int64_t count = 1;
};

ops::Positions position_inputs(Graph& graph, const ModelConfig& config, const NpuOptions& o, std::int64_t new_tokens) {
  ops::Positions p;
  p.mask = graph.add_input("attention_mask", o.io_dtype, {1, 1, new_tokens, o.context});
  p.cos = graph.add_input("position_ids_cos", o.io_dtype, {1, 1, new_tokens, config.text.head_dim / 2});
  p.sin = graph.add_input("position_ids_sin", o.io_dtype, {1, 1, new_tokens, config.text.head_dim / 2});
  return p;
}

// Inputs, nodes and outputs of one part.
void add_decoder(Graph& graph, const ModelConfig& config, const Weights& w, const NpuOptions& o, const DecoderGraph& d) {
  const TextConfig& text = config.text;
  const std::int64_t past_slots = o.context - d.new_tokens, a = d.new_tokens;
  const Module model(graph, w);
  Value hidden = graph.add_input(d.part.begin == 0 ? kInputsEmbeds : kHiddenStatesIn, o.io_dtype, {1, a, text.hidden_size});
  CachedInputs inputs{.begin = d.part.begin, .end = d.part.end};
  if (d.part.begin < d.part.end) inputs.positions = position_inputs(graph, config, o, a);
  for (std::int64_t i = d.part.begin; i < d.part.end; ++i)
    inputs.past.push_back(
        {graph.add_input(fmt::format("past_key_{}_in", i), o.io_dtype, {text.num_key_value_heads, 1, text.head_dim, past_slots}),
         graph.add_input(fmt::format("past_value_{}_in", i), o.io_dtype, {text.num_key_value_heads, 1, past_slots, text.head_dim})});
  CachedLayers layers = qwen2_cached_layers(hidden, inputs, text, model);
  if (d.part.head && (o.prefill_logits || a == 1)) {
    graph.add_output(qwen2_lm_head(qwen2_norm(layers.hidden, text, model), text, model), "logits");
  } else if (!d.part.head) {
    graph.add_output(layers.hidden, kHiddenStatesOut);
  }
  for (std::size_t i = 0; i < layers.present.size(); ++i) {
    const auto layer = d.part.begin + static_cast<std::int64_t>(i);
    graph.add_output(layers.present[i].key, fmt::format("past_key_{}_out", layer));
    graph.add_output(layers.present[i].value, fmt::format("past_value_{}_out", layer));
  }
}

NpuGraph decoder_graph(const ModelConfig& config, const Weights& w, const NpuOptions& o, const Target& target, const DecoderGraph& d) {
  const GraphExtents extents{
      .new_tokens = d.new_tokens, .context = o.context, .part = d.index, .parts = d.count, .recipe = recipe_name(d.recipe)};
  Graph graph(graph_name(GraphRole::kDecoder, extents));
  add_decoder(graph, config, w, o, d);
  return {.role = GraphRole::kDecoder, .extents = extents, .graph = finished(graph, o, target, d.recipe)};
}

struct FusedGraph {
  FusedSize size;
  const Recipe& recipe;
};

// The static twin of fastvlm_decoder_with_projection.
NpuGraph fused_graph(const ModelConfig& config, const Weights& w, const NpuOptions& o, const Target& target, const FusedGraph& fused) {
  const FusedSize& size = fused.size;
  const GraphExtents extents{.vision_tokens = size.vision_tokens, .text_tokens = size.text_tokens, .recipe = recipe_name(fused.recipe)};
  Graph graph(graph_name(GraphRole::kFused, extents));
  Value vision = graph.add_input("vision_features", o.io_dtype, {1, size.vision_tokens, config.vision.hidden_size});
  Value ids = graph.add_input("input_ids", Dtype::kInt32, {1, size.text_tokens});
  const Module model(graph, w);
  Value image = mlp2x_gelu(vision, config.text.hidden_size, model);
  Value sequence = ops::concat({image, qwen2_embed_tokens(ids, config.text, model, o.io_dtype)}, 1);
  graph.add_output(qwen2_lm_head(qwen2_decoder(sequence, config.text, model), config.text, model), "logits");
  NpuGraph whole{.role = GraphRole::kFused, .extents = extents};
  whole.graph = finished(graph, o, target, fused.recipe, &whole.gelus);
  return whole;
}

// In the order given; what is said twice is made once.
template <class T>
std::vector<T> unique(const std::vector<T>& values) {
  std::vector<T> once;
  for (const T& value : values)
    if (std::ranges::find(once, value) == once.end()) once.push_back(value);
  return once;
}

std::vector<std::int64_t> decoder_lengths(const NpuOptions& options) {
  std::vector<std::int64_t> lengths = options.prefill;
  lengths.push_back(1);
  std::ranges::sort(lengths, std::greater<>());
  lengths.erase(std::unique(lengths.begin(), lengths.end()), lengths.end());
  return lengths;
}

}  // namespace

Status check_npu_options(const NpuOptions& o, const ModelConfig& config) {
  if (o.recipes.empty()) return bad_option("recipe", "must name at least one");
  for (std::size_t i = 0; i < o.recipes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      if (recipe_name(o.recipes[i]) == recipe_name(o.recipes[j])) return bad_option("recipe", "{}: is named twice", o.recipes[i].name);
  for (std::int64_t size : o.image_sizes) TRY(check_image_size(size));
  if (o.context < 2 || o.context > config.text.max_position_embeddings)
    return bad_option("context", "{}: must be from 2 to the model's {} positions", o.context, config.text.max_position_embeddings);
  for (std::int64_t length : o.prefill)
    if (length < 1 || length >= o.context)
      return bad_option("prefill", "{}: must be at least 1 and below the context of {}", length, o.context);
  for (const FusedSize& size : o.fused)
    if (size.vision_tokens < 1 || size.text_tokens < 1 || size.vision_tokens > config.text.max_position_embeddings ||
        size.text_tokens > config.text.max_position_embeddings - size.vision_tokens)
      return bad_option("fused", "{}x{}: vision and text tokens must be at least 1 and together at most {}", size.vision_tokens,
                        size.text_tokens, config.text.max_position_embeddings);
  return {};
}

DecoderBytes decoder_bytes(const ModelConfig& config, const Weights& weights, const Recipe& recipe) {
  auto bytes = [&](const DecoderPart& part) {
    Graph graph("part");
    add_decoder(graph, config, weights, {.context = 2}, {.new_tokens = 1, .part = part, .recipe = recipe});
    encode_weights(graph, recipe.rules);
    return total_weight_bytes(graph);
  };
  const std::int64_t layers = config.text.num_hidden_layers;
  std::uint64_t largest = bytes({.begin = 0, .end = 1});
  for (std::int64_t i = 1; i < layers && !recipe.is_float(); ++i) largest = std::max(largest, bytes({.begin = i, .end = i + 1}));
  return {.layers = layers, .layer = largest, .head = bytes({.begin = layers, .end = layers, .head = true})};
}

std::vector<DecoderPart> decoder_parts(const DecoderBytes& bytes, std::uint64_t limit) {
  const auto& [layers, layer, head] = bytes;
  const std::uint64_t total = layer * static_cast<std::uint64_t>(layers) + head;
  if (total <= limit) return {{.begin = 0, .end = layers, .head = true, .bytes = total}};
  // As even as the limit allows: the head counts like the layers it weighs.
  const auto per_part = std::max<std::int64_t>(1, static_cast<std::int64_t>(limit / layer));
  const std::int64_t count = (layers + per_part - 1) / per_part;
  std::vector<DecoderPart> parts;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t begin = layers * i / count, end = layers * (i + 1) / count;
    parts.push_back({.begin = begin, .end = end, .bytes = layer * static_cast<std::uint64_t>(end - begin)});
  }
  if (parts.back().bytes + head <= limit) {
    parts.back().head = true;
    parts.back().bytes += head;
  } else {
    parts.push_back({.begin = layers, .end = layers, .head = true, .bytes = head});
  }
  return parts;
}

ops::ScalePlan plan_stream_scales(const ModelConfig& config, const Weights& weights, const Target& target,
                                  const std::map<std::string, float>& peaks, double limit) {
  Graph vision("vision"), decoder("decoder");
  add_vision(vision, config, weights, pixel_input(vision, Dtype::kFloat32, kVisionStride));
  const DecoderPart whole{.begin = 0, .end = config.text.num_hidden_layers, .head = true};
  const Recipe as_it_is;
  add_decoder(decoder, config, weights, {.context = 2}, {.new_tokens = 1, .part = whole, .recipe = as_it_is});
  ops::ScalePlan plan = ops::plan_scales(vision, target.expansions(), peaks, limit);
  plan.add(ops::plan_scales(decoder, target.expansions(), peaks, limit));
  return plan;
}

std::unique_ptr<Graph> fixed_point_vision_graph(const ModelConfig& config, const Weights& weights, const NpuOptions& options,
                                                const Target& target, const FixedPointPicture& picture) {
  const Dtype dtype = picture.pixels.dtype;
  Graph graph(fmt::format("{}_{}", graph_name(GraphRole::kVision, {.image_size = picture.size}), name(dtype)));
  add_vision(graph, config, weights, ops::dequantize(pixel_input(graph, dtype, picture.size), picture.pixels));
  return finished(graph, options, target);
}

std::vector<NpuGraph> npu_graphs(const ModelConfig& config, const Weights& weights, const NpuOptions& options, const Target& target,
                                 std::uint64_t part_limit) {
  std::vector<NpuGraph> graphs;
  for (std::int64_t size : unique(options.image_sizes)) graphs.push_back(vision_graph(config, weights, options, target, size));
  for (const Recipe& recipe : options.recipes) {
    const auto parts = decoder_parts(decoder_bytes(config, weights, recipe), part_limit);
    for (std::size_t i = 0; i < parts.size(); ++i)
      for (std::int64_t length : decoder_lengths(options)) {
        // Without logits a prefill pass has nothing to ask of a part that is only the head.
        if (parts[i].begin == parts[i].end && length > 1 && !options.prefill_logits) continue;
        graphs.push_back(decoder_graph(config, weights, options, target,
                                       {.new_tokens = length,
                                        .part = parts[i],
                                        .recipe = recipe,
                                        .index = static_cast<std::int64_t>(i) + 1,
                                        .count = static_cast<std::int64_t>(parts.size())}));
      }
    for (const FusedSize& size : unique(options.fused)) graphs.push_back(fused_graph(config, weights, options, target, {size, recipe}));
  }
  return graphs;
}

}  // namespace fastvlm
