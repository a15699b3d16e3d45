// What a FastVLM checkpoint is: read from its tensors, checked against its config.json. Field names follow transformers.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/preprocessing.h"

namespace fastvlm {

// One of the five stages of FastViTHD.
struct VisionStage {
  std::int64_t channels = 0;
  std::int64_t blocks = 0;
  std::int64_t mlp_channels = 0;
  bool attention = false;   // attention blocks instead of RepMixer blocks
  bool downsample = false;  // begins with a 7x7 convolution of stride 2
  bool pos_emb = false;     // then a positional convolution
};

struct VisionConfig {
  std::int64_t stem_channels = 0;
  std::vector<VisionStage> stages;
  std::int64_t hidden_size = 0;  // channels of the feature map, 3072
  std::int64_t squeeze_channels = 0;
  std::int64_t head_dim = 32;
  double layer_norm_eps = 1e-5;
  bool training_form = false;  // branches not fused yet
};

struct TextConfig {
  std::int64_t hidden_size = 0;
  std::int64_t intermediate_size = 0;
  std::int64_t num_hidden_layers = 0;
  std::int64_t num_attention_heads = 0;
  std::int64_t num_key_value_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab_size = 0;
  std::int64_t max_position_embeddings = 32768;
  double rope_theta = 1e6;
  double rms_norm_eps = 1e-6;
  bool tie_word_embeddings = false;
};

struct ModelConfig {
  VisionConfig vision;
  TextConfig text;
  CheckpointPreprocessing preprocessing;       // its size is what the checkpoint was trained with
  std::optional<std::int64_t> image_token_id;  // only where the config names one
  std::vector<std::int64_t> eos_token_ids;     // every end token of config.json and generation_config.json, each once
  // What is odd about this checkpoint, a sentence each.
  std::vector<std::string> findings;
};

// Total stride of the tower: an image size must be a multiple of it.
inline constexpr std::int64_t kVisionStride = 64;

// Errors: a part of the model is missing, extents contradict each other, or the config asks for something else (rope
// scaling, another projector). Where tensors and config merely disagree the tensors win and a finding says so.
Result<ModelConfig> read_model_config(const Checkpoint& checkpoint);

// Reads both matrices piece by piece when the head is tied but stored as well; true when they are equal.
Result<bool> stored_head_equals_embedding(const Checkpoint& checkpoint);

}  // namespace fastvlm
