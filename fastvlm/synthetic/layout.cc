#include "fastvlm/synthetic/layout.h"

#include <cmath>
#include <tuple>
#include <utility>

namespace fastvlm {
namespace {

// How the two dialects call the same modules. A stage without such a module has an empty name.
struct ModuleNames {
  std::string_view vision, stem;
  std::array<std::string_view, 5> downsamples, positions, blocks;  // by stage
  std::string_view large_kernel, feed_forward, layer_scale_suffix;
  std::string_view final_conv, squeeze, excite;
  std::string_view projector_in, projector_out, language;
};

constexpr ModuleNames kAppleNames = {
    .vision = "model.vision_tower.vision_tower.model.",
    .stem = "patch_embed",
    .downsamples = {"", "network.1", "network.3", "network.5", "network.8"},
    .positions = {"", "", "", "network.6", "network.9"},
    .blocks = {"network.0", "network.2", "network.4", "network.7", "network.10"},
    .large_kernel = "lkb_reparam",
    .feed_forward = "convffn",
    .layer_scale_suffix = "",
    .final_conv = "conv_exp",
    .squeeze = "se.reduce",
    .excite = "se.expand",
    .projector_in = "model.mm_projector.0",
    .projector_out = "model.mm_projector.2",
    .language = "model.",
};

constexpr ModuleNames kHfNames = {
    .vision = "model.vision_tower.timm_model.",
    .stem = "stem",
    .downsamples = {"", "stages.1.downsample", "stages.2.downsample", "stages.3.downsample", "stages.4.downsample"},
    .positions = {"", "", "", "stages.3.pos_emb", "stages.4.pos_emb"},
    .blocks = {"stages.0.blocks", "stages.1.blocks", "stages.2.blocks", "stages.3.blocks", "stages.4.blocks"},
    .large_kernel = "reparam_conv",
    .feed_forward = "mlp",
    .layer_scale_suffix = ".gamma",
    .final_conv = "final_conv",
    .squeeze = "se.fc1",
    .excite = "se.fc2",
    .projector_in = "model.multi_modal_projector.linear_1",
    .projector_out = "model.multi_modal_projector.linear_2",
    .language = "model.language_model.",
};

// The spread of the numbers. A gain of 1 keeps the variance of a normal input; GELU takes about half, which the layer behind
// makes good. Measured at 0.5b: values grow through the tower from about 1 to some ten and stay far from float16's limit.
constexpr float kAfterGelu = 1.5f;
constexpr float kStemGain = 10;        // pixels are in [0, 1]; HTP computes GELU with an absolute error, so values must not be small
constexpr float kKernelNoise = 0.05f;  // of kernels that carry a folded identity
constexpr float kPositionNoise = 0.02f;
constexpr float kBias = 0.05f;
constexpr float kLogitSpread = 4;      // standard deviation of the logits
constexpr float kResidualGain = 0.7f;  // what a decoder layer adds, relative to the embeddings
constexpr float kQueryGain = 1.5f;     // of queries and keys: attention picks some positions, not all alike
constexpr TensorFill kNorm = {.mean = 1, .spread = 0.1f};
// Of both signs: with positive weights a tied model would always repeat its last token.
constexpr TensorFill kLastNorm = {.spread = 1};
constexpr TensorFill kBiasFill = {.spread = kBias};
constexpr TensorFill kLayerScale = {.mean = 0.12f, .spread = 0.02f};

constexpr bool has_attention(std::size_t stage) { return stage >= 3; }

class TensorList {
 public:
  TensorList(const CheckpointSizeFacts& size, std::int64_t vocab, const ModuleNames& names) : size_(size), vocab_(vocab), names_(names) {}

  void language();
  void vision();
  void projector();
  void add(std::string name, Shape shape, TensorFill fill, Dtype dtype = Dtype::kBfloat16) {
    tensors.push_back({.declaration = {std::move(name), dtype, std::move(shape)}, .fill = fill});
  }
  float embedding_spread() const { return kLogitSpread / std::sqrt(static_cast<float>(size_.hidden)); }

  std::vector<MadeTensor> tensors;

 private:
  // weight [out, in], its outputs `gain` times as large as its inputs
  void linear(const std::string& name, std::int64_t out, std::int64_t in, float gain) {
    add(name + ".weight", {out, in}, {.spread = gain / std::sqrt(static_cast<float>(in))});
  }
  // weight [out, in, k, k] and bias [out]
  void conv(const std::string& name, Shape shape, TensorFill fill) {
    const std::int64_t out = shape[0];
    add(name + ".weight", std::move(shape), fill);
    add(name + ".bias", {out}, kBiasFill);
  }
  // Each channel goes on to one other, with some of all mixed in: a plain random mixture of what a GELU leaves (all positive)
  // would nearly cancel, and half precision would lose half of its digits there.
  void passing(const std::string& name, std::int64_t channels) {
    conv(name, {channels, channels, 1, 1},
         {.spread = 0.3f / std::sqrt(static_cast<float>(channels)), .centre = kAfterGelu, .taps = channels + 1});
  }
  void pointwise(const std::string& name, std::int64_t out, std::int64_t in, float gain) {
    conv(name, {out, in, 1, 1}, {.spread = gain / std::sqrt(static_cast<float>(in))});
  }
  void decoder_layer(const std::string& name);
  void feed_forward(const std::string& name, std::int64_t channels);
  void rep_mixer_block(const std::string& name, std::int64_t channels);
  void attention_block(const std::string& name, std::int64_t channels);
  void stage(std::size_t index);

  const CheckpointSizeFacts& size_;
  std::int64_t vocab_;
  const ModuleNames& names_;
};

void TensorList::decoder_layer(const std::string& name) {
  const std::int64_t hidden = size_.hidden, kv = hidden / size_.heads * size_.kv_heads;
  const float residual = kResidualGain * embedding_spread();
  for (auto [part, out, gain] : {std::tuple{"q_proj", hidden, kQueryGain}, {"k_proj", kv, kQueryGain}, {"v_proj", kv, 1.0f}}) {
    linear(fmt::format("{}.self_attn.{}", name, part), out, hidden, gain);
    add(fmt::format("{}.self_attn.{}.bias", name, part), {out}, kBiasFill);
  }
  linear(name + ".self_attn.o_proj", hidden, hidden, residual);
  linear(name + ".mlp.gate_proj", size_.intermediate, hidden, 1);
  linear(name + ".mlp.up_proj", size_.intermediate, hidden, 1);
  linear(name + ".mlp.down_proj", hidden, size_.intermediate, residual / 0.6f);  // the gate leaves 0.6
  add(name + ".input_layernorm.weight", {hidden}, kNorm);
  add(name + ".post_attention_layernorm.weight", {hidden}, kNorm);
}

void TensorList::language() {
  const std::string language(names_.language);
  add(language + "embed_tokens.weight", {vocab_, size_.hidden}, {.spread = embedding_spread()});
  for (std::int64_t i = 0; i < size_.layers; ++i) decoder_layer(fmt::format("{}layers.{}", language, i));
  add(language + "norm.weight", {size_.hidden}, kLastNorm);
}

void TensorList::feed_forward(const std::string& name, std::int64_t channels) {
  add(name + ".conv.conv.weight", {channels, 1, 7, 7}, {.spread = 1.0f / 7});
  add(name + ".conv.bn.weight", {channels}, kNorm);
  add(name + ".conv.bn.bias", {channels}, kBiasFill);
  add(name + ".conv.bn.running_mean", {channels}, kBiasFill);
  add(name + ".conv.bn.running_var", {channels}, kNorm);
  add(name + ".conv.bn.num_batches_tracked", {}, {}, Dtype::kInt64);
  pointwise(name + ".fc1", 4 * channels, channels, 1);
  pointwise(name + ".fc2", channels, 4 * channels, kAfterGelu);
}

void TensorList::rep_mixer_block(const std::string& name, std::int64_t channels) {
  conv(name + ".token_mixer.reparam_conv", {channels, 1, 3, 3}, {.spread = kKernelNoise, .centre = 1, .taps = 9});
  feed_forward(fmt::format("{}.{}", name, names_.feed_forward), channels);
  add(fmt::format("{}.layer_scale{}", name, names_.layer_scale_suffix), {channels, 1, 1}, kLayerScale);
}

void TensorList::attention_block(const std::string& name, std::int64_t channels) {
  add(name + ".norm.weight", {channels}, kNorm);
  add(name + ".norm.bias", {channels}, kBiasFill);
  linear(name + ".token_mixer.qkv", 3 * channels, channels, 1);
  linear(name + ".token_mixer.proj", channels, channels, 1);
  add(name + ".token_mixer.proj.bias", {channels}, kBiasFill);
  for (int i : {1, 2}) add(fmt::format("{}.layer_scale_{}{}", name, i, names_.layer_scale_suffix), {channels, 1, 1}, kLayerScale);
  feed_forward(fmt::format("{}.{}", name, names_.feed_forward), channels);
}

void TensorList::stage(std::size_t index) {
  const std::string vision(names_.vision);
  const std::int64_t channels = size_.channels[index];
  if (!names_.downsamples[index].empty()) {
    const std::string name = fmt::format("{}{}.proj.", vision, names_.downsamples[index]);
    conv(fmt::format("{}0.{}", name, names_.large_kernel), {channels, 1, 7, 7}, {.spread = 0.2f, .centre = 1, .taps = 49});
    passing(name + "1.reparam_conv", channels);
  }
  if (!names_.positions[index].empty())
    conv(fmt::format("{}{}.reparam_conv", vision, names_.positions[index]), {channels, 1, 7, 7},
         {.spread = kPositionNoise, .centre = 1, .taps = 49});
  for (std::int64_t i = 0; i < size_.depths[index]; ++i) {
    const std::string name = fmt::format("{}{}.{}", vision, names_.blocks[index], i);
    if (has_attention(index))
      attention_block(name, channels);
    else
      rep_mixer_block(name, channels);
  }
}

void TensorList::vision() {
  const std::string vision(names_.vision);
  const std::int64_t first = size_.channels[0], width = 2 * size_.channels[4], squeezed = width / 16;
  const std::string stem = vision + std::string(names_.stem);
  conv(stem + ".0.reparam_conv", {first, 3, 3, 3}, {.spread = kStemGain / std::sqrt(27.0f)});
  conv(stem + ".1.reparam_conv", {first, 1, 3, 3}, {.spread = 0.3f, .centre = 1, .taps = 9});
  passing(stem + ".2.reparam_conv", first);
  for (std::size_t i = 0; i < size_.depths.size(); ++i) stage(i);
  const std::string final_conv = vision + std::string(names_.final_conv);
  conv(final_conv + ".reparam_conv", {width, 1, 3, 3}, {.spread = 0.3f, .centre = 1, .taps = 9});
  pointwise(fmt::format("{}.{}", final_conv, names_.squeeze), squeezed, width, kAfterGelu);
  pointwise(fmt::format("{}.{}", final_conv, names_.excite), width, squeezed, kAfterGelu);
}

void TensorList::projector() {
  const std::string in(names_.projector_in), out(names_.projector_out);
  linear(in, size_.hidden, 2 * size_.channels[4], kAfterGelu);
  add(in + ".bias", {size_.hidden}, kBiasFill);
  // Image features as large as the embeddings of words.
  linear(out, size_.hidden, size_.hidden, kAfterGelu * embedding_spread());
  add(out + ".bias", {size_.hidden}, {.spread = kBias * embedding_spread()});
}

std::vector<MadeTensor> shared_tensors(const CheckpointSizeFacts& size, CheckpointDialect dialect, std::int64_t vocab) {
  TensorList list(size, vocab, dialect == CheckpointDialect::kApple ? kAppleNames : kHfNames);
  list.language();
  list.vision();
  if (dialect == CheckpointDialect::kApple)
    list.add(std::string(kAppleNames.vision) + "head.proj", {2 * size.channels[4], size.clip_columns}, {.spread = 0.02f});
  list.projector();
  return std::move(list.tensors);
}

std::int64_t vocab_of(const CheckpointSizeFacts& size, CheckpointDialect dialect) {
  return dialect == CheckpointDialect::kApple ? size.vocab_apple : size.vocab_hf;
}

}  // namespace

std::optional<CheckpointSize> checkpoint_size_from(std::string_view name) {
  for (const CheckpointSizeFacts& row : kCheckpointSizes)
    if (row.name == name) return row.size;
  return std::nullopt;
}

std::optional<CheckpointDialect> checkpoint_dialect_from(std::string_view name) {
  for (std::size_t i = 0; i < kCheckpointDialectNames.size(); ++i)
    if (kCheckpointDialectNames[i] == name) return static_cast<CheckpointDialect>(i);
  return std::nullopt;
}

std::vector<MadeTensor> checkpoint_tensors(const CheckpointSizeFacts& row, CheckpointDialect dialect) {
  const std::int64_t vocab = vocab_of(row, dialect);
  std::vector<MadeTensor> tensors = shared_tensors(row, dialect, vocab);
  // The same modules in the same order under Apple's names; only the unused CLIP head has no partner.
  std::vector<MadeTensor> keys = shared_tensors(row, CheckpointDialect::kApple, vocab);
  if (dialect != CheckpointDialect::kApple)
    std::erase_if(keys, [](const MadeTensor& t) { return t.declaration.name.ends_with("head.proj"); });
  FASTVLM_ASSERT(keys.size() == tensors.size(), "both dialects hold the same modules");
  for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].key = keys[i].declaration.name;
  // Apple stores a tied head too, equal to the embeddings byte by byte; transformers leaves it out.
  if (!row.tied || dialect == CheckpointDialect::kApple) {
    MadeTensor head = tensors.front();
    head.declaration.name = "lm_head.weight";
    if (!row.tied) head.key = head.declaration.name;
    tensors.push_back(std::move(head));
  }
  return tensors;
}

std::vector<MadeShard> checkpoint_shards(std::vector<MadeTensor> tensors, std::uint64_t max_bytes) {
  std::vector<MadeShard> shards(1);
  std::uint64_t bytes = 0;
  for (MadeTensor& tensor : tensors) {
    auto more = static_cast<std::uint64_t>(element_count(tensor.declaration.shape)) * byte_size(tensor.declaration.dtype);
    if (bytes + more > max_bytes && !shards.back().tensors.empty()) {
      shards.emplace_back();
      bytes = 0;
    }
    bytes += more;
    shards.back().tensors.push_back(std::move(tensor));
  }
  for (std::size_t i = 0; i < shards.size(); ++i)
    shards[i].file = shards.size() == 1 ? "model.safetensors" : fmt::format("model-{:05}-of-{:05}.safetensors", i + 1, shards.size());
  return shards;
}

namespace {

OrderedJson apple_config(const CheckpointSizeFacts& size) {
  return {
      {"architectures", {"LlavaQwen2ForCausalLM"}},
      {"model_type", "llava_qwen2"},
      {"auto_map", {{"AutoConfig", "llava_qwen.LlavaConfig"}, {"AutoModelForCausalLM", "llava_qwen.LlavaQwen2ForCausalLM"}}},
      {"attention_dropout", 0.0},
      {"bos_token_id", size.base_tokens},
      {"eos_token_id", size.base_tokens + 2},
      {"freeze_mm_mlp_adapter", false},
      {"hidden_act", "silu"},
      {"hidden_size", size.hidden},
      {"image_aspect_ratio", "pad"},
      {"image_grid_pinpoints", nullptr},
      {"initializer_range", 0.02},
      {"intermediate_size", size.intermediate},
      {"max_position_embeddings", size.max_positions},
      {"max_window_layers", size.window_layers},
      {"mm_hidden_size", 2 * size.channels[4]},
      {"mm_patch_merge_type", "flat"},
      {"mm_projector_lr", nullptr},
      {"mm_projector_type", "mlp2x_gelu"},
      {"mm_use_im_patch_token", false},
      {"mm_use_im_start_end", false},
      {"mm_vision_select_feature", "patch"},
      {"mm_vision_select_layer", -2},
      {"mm_vision_tower", fmt::format("mobileclip_l_{}", size.image_size)},
      {"num_attention_heads", size.heads},
      {"num_hidden_layers", size.layers},
      {"num_key_value_heads", size.kv_heads},
      {"rms_norm_eps", 1e-6},
      {"rope_theta", 1000000.0},
      {"sliding_window", size.sliding_window},
      {"tie_word_embeddings", size.tied},
      {"tokenizer_model_max_length", 8192},
      {"tokenizer_padding_side", "right"},
      {"torch_dtype", "bfloat16"},
      {"transformers_version", "4.39.3"},
      {"tune_mm_mlp_adapter", false},
      {"unfreeze_mm_vision_tower", true},
      {"use_cache", true},
      {"use_mm_proj", true},
      {"use_sliding_window", false},
      {"vocab_size", size.vocab_apple},
  };
}

OrderedJson hf_vision_config(const CheckpointSizeFacts& size) {
  OrderedJson model_args = {{"inference_mode", true}};
  if (size.channels != kFastVitHdChannels) {  // otherwise timm's own fastvit_mci3
    model_args["layers"] = size.depths;
    model_args["embed_dims"] = size.channels;
  }
  return {
      {"architecture", "fastvit_mci3"},      {"do_pooling", true},        {"global_pool", "avg"},
      {"hidden_size", 2 * size.channels[4]}, {"initializer_range", 0.02}, {"model_args", std::move(model_args)},
      {"model_type", "timm_wrapper"},
  };
}

OrderedJson hf_text_config(const CheckpointSizeFacts& size) {
  return {
      {"attention_dropout", 0.0},
      {"bos_token_id", size.base_tokens},
      {"eos_token_id", size.base_tokens + 2},
      {"hidden_act", "silu"},
      {"hidden_size", size.hidden},
      {"initializer_range", 0.02},
      {"intermediate_size", size.intermediate},
      {"layer_types", std::vector<std::string>(static_cast<std::size_t>(size.layers), "full_attention")},
      {"max_position_embeddings", size.max_positions},
      {"max_window_layers", size.window_layers},
      {"model_type", "qwen2"},
      {"num_attention_heads", size.heads},
      {"num_hidden_layers", size.layers},
      {"num_key_value_heads", size.kv_heads},
      {"rms_norm_eps", 1e-6},
      {"rope_parameters", {{"rope_theta", 1000000.0}, {"rope_type", "default"}}},
      {"sliding_window", nullptr},
      {"tie_word_embeddings", size.tied},
      {"use_cache", true},
      {"use_sliding_window", false},
      {"vocab_size", size.vocab_hf},
  };
}

OrderedJson hf_config(const CheckpointSizeFacts& size) {
  const std::int64_t grid = size.image_size / 64;
  return {
      {"architectures", {"FastVlmForConditionalGeneration"}},
      {"model_type", "fast_vlm"},
      {"dtype", "bfloat16"},
      {"image_seq_length", grid * grid},
      {"image_token_index", size.base_tokens + 3},
      {"multimodal_projector_bias", true},
      {"projector_hidden_act", "gelu"},
      {"text_config", hf_text_config(size)},
      {"tie_word_embeddings", size.tied},
      {"transformers_version", "5.23.0"},
      {"vision_config", hf_vision_config(size)},
      {"vision_feature_layer", -1},
      {"vision_feature_select_strategy", "full"},
  };
}

}  // namespace

OrderedJson checkpoint_config(CheckpointSize size, CheckpointDialect dialect) {
  return dialect == CheckpointDialect::kApple ? apple_config(facts(size)) : hf_config(facts(size));
}

}  // namespace fastvlm
