#include "fastvlm/author/static_graphs.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/models/decoder/qwen2.h"
#include "fastvlm/models/projector/mlp2x_gelu.h"
#include "fastvlm/models/vision/fastvithd.h"

namespace fastvlm {
namespace {

using namespace models;

constexpr std::int64_t kHalfBytes = 2;  // HTP computes float graphs in half precision

std::uint64_t layer_bytes(const TextConfig& c) {
  const std::int64_t attention = c.hidden_size * c.head_dim * 2 * (c.num_attention_heads + c.num_key_value_heads);
  return static_cast<std::uint64_t>(kHalfBytes * (attention + 3 * c.hidden_size * c.intermediate_size));
}

std::uint64_t head_bytes(const TextConfig& c) { return static_cast<std::uint64_t>(kHalfBytes * c.vocab_size * c.hidden_size); }

// pixel_values [1, 3, S, S] -> image_features [1, N, H], tower and projector.
NpuGraph vision_graph(const ModelConfig& config, const Weights& w, const NpuOptions& options, const Target& target, std::int64_t size) {
  const GraphExtents extents{.image_size = size};
  Graph graph(graph_name(GraphRole::kVision, extents));
  Value pixels = graph.add_input("pixel_values", options.io_dtype, {1, 3, size, size});
  Value tokens = fastvithd(pixels, config.vision, w.at("model.vision_tower"));
  graph.add_output(mlp2x_gelu(tokens, config.text.hidden_size, w.at("model.multi_modal_projector")), "image_features");
  const std::int64_t n = tokens.dim(1).value, h = config.text.hidden_size;
  return {.role = GraphRole::kVision,
          .extents = extents,
          .graph = ops::expand(graph, target.expansions()),
          .macs = fastvithd_macs(config.vision, size) + n * h * (config.vision.hidden_size + h)};
}

struct DecoderGraph {
  std::int64_t new_tokens = 1;
  DecoderPart part;
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

NpuGraph decoder_graph(const ModelConfig& config, const Weights& w, const NpuOptions& o, const Target& target, const DecoderGraph& d) {
  const TextConfig& text = config.text;
  const std::int64_t past_slots = o.context - d.new_tokens, a = d.new_tokens;
  const GraphExtents extents{.new_tokens = a, .context = o.context, .part = d.index, .parts = d.count};
  Graph graph(graph_name(GraphRole::kDecoder, extents));
  Value hidden = graph.add_input(d.part.begin == 0 ? "inputs_embeds" : "hidden_states_in", o.io_dtype, {1, a, text.hidden_size});
  std::vector<ops::PastKeyValue> past;
  ops::Positions positions;
  if (d.part.end > d.part.begin) positions = position_inputs(graph, config, o, a);
  for (std::int64_t i = d.part.begin; i < d.part.end; ++i)
    past.push_back(
        {graph.add_input(fmt::format("past_key_{}_in", i), o.io_dtype, {text.num_key_value_heads, 1, text.head_dim, past_slots}),
         graph.add_input(fmt::format("past_value_{}_in", i), o.io_dtype, {text.num_key_value_heads, 1, past_slots, text.head_dim})});
  CachedLayers layers = qwen2_cached_layers(hidden, text, w, {d.part.begin, d.part.end}, positions, past);
  const bool logits = d.part.head && (o.prefill_logits || a == 1);
  if (logits) {
    graph.add_output(qwen2_lm_head(qwen2_norm(layers.hidden, text, w), text, w), "logits");
  } else if (!d.part.head) {
    graph.add_output(layers.hidden, "hidden_states_out");
  }
  for (std::size_t i = 0; i < layers.present.size(); ++i) {
    const auto layer = d.part.begin + static_cast<std::int64_t>(i);
    graph.add_output(layers.present[i].key, fmt::format("past_key_{}_out", layer));
    graph.add_output(layers.present[i].value, fmt::format("past_value_{}_out", layer));
  }
  const std::int64_t layer_macs = qwen2_macs_per_token(text, o.context) / text.num_hidden_layers * (d.part.end - d.part.begin);
  return {.role = GraphRole::kDecoder,
          .extents = extents,
          .graph = ops::expand(graph, target.expansions()),
          .macs = a * (layer_macs + (logits ? text.vocab_size * text.hidden_size : 0))};
}

// The static twin of fastvlm_decoder_with_projection.
NpuGraph fused_graph(const ModelConfig& config, const Weights& w, const NpuOptions& o, const Target& target, FusedSize size) {
  const GraphExtents extents{.vision_tokens = size.vision_tokens, .text_tokens = size.text_tokens};
  Graph graph(graph_name(GraphRole::kFused, extents));
  Value vision = graph.add_input("vision_features", o.io_dtype, {1, size.vision_tokens, config.vision.hidden_size});
  Value ids = graph.add_input("input_ids", Dtype::kInt32, {1, size.text_tokens});
  Value image = mlp2x_gelu(vision, config.text.hidden_size, w.at("model.multi_modal_projector"));
  Value sequence = ops::concat({image, qwen2_embed_tokens(ids, config.text, w, o.io_dtype)}, 1);
  graph.add_output(qwen2_lm_head(qwen2_decoder(sequence, config.text, w), config.text, w), "logits");
  const std::int64_t length = size.vision_tokens + size.text_tokens;
  return {.role = GraphRole::kFused,
          .extents = extents,
          .graph = ops::expand(graph, target.expansions()),
          .macs = length * (qwen2_macs_per_token(config.text, length) + config.text.vocab_size * config.text.hidden_size)};
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
  for (std::int64_t size : o.image_sizes) TRY(check_image_size(size));
  if (o.context < 2 || o.context > config.text.max_position_embeddings)
    return bad_usage("--context {}: must be from 2 to the model's {} positions", o.context, config.text.max_position_embeddings);
  for (std::int64_t length : o.prefill)
    if (length < 1 || length >= o.context)
      return bad_usage("--prefill {}: must be at least 1 and below the context of {}", length, o.context);
  for (const FusedSize& size : o.fused)
    if (size.vision_tokens < 1 || size.text_tokens < 1 || size.vision_tokens > config.text.max_position_embeddings ||
        size.text_tokens > config.text.max_position_embeddings - size.vision_tokens)
      return bad_usage("--fused {}x{}: vision and text tokens must be at least 1 and together at most {}", size.vision_tokens,
                       size.text_tokens, config.text.max_position_embeddings);
  return {};
}

std::vector<DecoderPart> decoder_parts(const TextConfig& config, std::uint64_t limit) {
  const std::uint64_t layer = layer_bytes(config), head = head_bytes(config);
  const std::int64_t layers = config.num_hidden_layers;
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

std::vector<NpuGraph> npu_graphs(const ModelConfig& config, const Weights& weights, const NpuOptions& options, const Target& target,
                                 std::uint64_t part_limit) {
  std::vector<NpuGraph> graphs;
  for (std::int64_t size : unique(options.image_sizes)) graphs.push_back(vision_graph(config, weights, options, target, size));
  const auto parts = decoder_parts(config.text, part_limit);
  for (std::size_t i = 0; i < parts.size(); ++i)
    for (std::int64_t length : decoder_lengths(options)) {
      // Without logits a prefill pass has nothing to ask of a part that is only the head.
      if (parts[i].begin == parts[i].end && length > 1 && !options.prefill_logits) continue;
      graphs.push_back(decoder_graph(config, weights, options, target,
                                     {.new_tokens = length,
                                      .part = parts[i],
                                      .index = static_cast<std::int64_t>(i) + 1,
                                      .count = static_cast<std::int64_t>(parts.size())}));
    }
  for (const FusedSize& size : unique(options.fused)) graphs.push_back(fused_graph(config, weights, options, target, size));
  return graphs;
}

}  // namespace fastvlm
