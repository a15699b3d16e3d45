#include "fastvlm/author/plain_graphs.h"

#include "fastvlm/bundle/names.h"
#include "fastvlm/models/decoder/qwen2.h"
#include "fastvlm/models/projector/mlp2x_gelu.h"
#include "fastvlm/models/vision/fastvithd.h"
#include "fastvlm/ops/reference.h"

namespace fastvlm {
namespace {

using namespace models;

// Which values carry which names after an expansion: the output gets its contract name last.
std::unique_ptr<Graph> finished(const Graph& semantic) { return ops::expand(semantic, ops::reference_expansions()); }

}  // namespace

std::unique_ptr<Graph> vision_encoder_graph(const ModelConfig& config, const Weights& weights, const ReferenceGraphOptions& o) {
  Graph graph(kVisionEncoderName);
  Value pixels = graph.add_input("pixel_values", Dtype::kFloat32, {"batch_size", 3, o.image_size, o.image_size});
  Value features = fastvithd(ops::cast(pixels, o.dtype), config.vision, Module(graph, weights));
  graph.add_output(ops::cast(features, Dtype::kFloat32), "image_features");
  return finished(graph);
}

std::unique_ptr<Graph> decoder_with_projection_graph(const ModelConfig& config, const Weights& weights, const ReferenceGraphOptions& o) {
  Graph graph(kDecoderName);
  Value vision = graph.add_input("vision_features", Dtype::kFloat32, {"batch_size", "num_vision_tokens", config.vision.hidden_size});
  Value ids = graph.add_input("input_ids", Dtype::kInt64, {"batch_size", "num_text_tokens"});
  const Module model(graph, weights);
  Value image = mlp2x_gelu(ops::cast(vision, o.dtype), config.text.hidden_size, model);
  Value text = qwen2_embed_tokens(ids, config.text, model, o.dtype);
  Value sequence = ops::concat({image, text}, 1);
  Value logits = qwen2_lm_head(qwen2_decoder(sequence, config.text, model), config.text, model);
  graph.add_output(ops::cast(logits, Dtype::kFloat32), "logits");
  return finished(graph);
}

std::unique_ptr<Graph> token_embedder_graph(const ModelConfig& config, const Weights& weights, const ReferenceGraphOptions& o) {
  Graph graph(kTokenEmbedderName);
  Value ids = graph.add_input("input_ids", Dtype::kInt64, {"batch_size", "seq_len"});
  Value rows = qwen2_embed_tokens(ids, config.text, Module(graph, weights), o.dtype);
  graph.add_output(ops::cast(rows, Dtype::kFloat32), "embeddings");
  return finished(graph);
}

}  // namespace fastvlm
