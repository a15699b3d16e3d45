#include "fastvlm/bundle/model_json.h"

namespace fastvlm {

OrderedJson model_json(const ModelConfig& config, const std::string& model_type) {
  const TextConfig& text = config.text;
  const VisionConfig& vision = config.vision;
  OrderedJson depths = OrderedJson::array(), channels = OrderedJson::array();
  for (const VisionStage& stage : vision.stages) depths.push_back(stage.blocks), channels.push_back(stage.channels);
  return {{"model_type", model_type},
          {"text",
           {{"hidden_size", text.hidden_size},
            {"intermediate_size", text.intermediate_size},
            {"num_hidden_layers", text.num_hidden_layers},
            {"num_attention_heads", text.num_attention_heads},
            {"num_key_value_heads", text.num_key_value_heads},
            {"head_dim", text.head_dim},
            {"vocab_size", text.vocab_size},
            {"rope_theta", text.rope_theta},
            {"rms_norm_eps", text.rms_norm_eps},
            {"max_position_embeddings", text.max_position_embeddings},
            {"tie_word_embeddings", text.tie_word_embeddings}}},
          {"vision", {{"depths", depths}, {"channels", channels}, {"hidden_size", vision.hidden_size}, {"head_dim", vision.head_dim}}}};
}

}  // namespace fastvlm
