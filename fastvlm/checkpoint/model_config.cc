#include "fastvlm/checkpoint/model_config.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/fuse.h"
#include "fastvlm/checkpoint/settings.h"
#include "fastvlm/checkpoint/tensor_inventory.h"

namespace fastvlm {
namespace {

// Reads one config and collects findings.
class Reader {
 public:
  explicit Reader(const Checkpoint& checkpoint)
      : checkpoint_(checkpoint), config_(checkpoint.config()), weights_(checkpoint), what_(checkpoint.side_file("config.json").string()) {
    // Apple's dialect is flat; what a converter nested into it counts only where the flat form is empty.
    const Json* nested = json_find(config_, "text_config");
    const bool flat = checkpoint.model_type() == "llava_qwen2" && json_find(config_, "num_attention_heads") != nullptr;
    text_ = nested != nullptr && !flat ? nested : &config_;
  }

  Result<ModelConfig> read() {
    model_.findings = checkpoint_.findings();
    TRY(check_settings(config_, *text_, what_, model_.findings));
    TRY(read_text());
    TRY(read_heads());
    TRY(check_decoder_tensors(checkpoint_, model_.text.num_hidden_layers, model_.findings));
    TRY(read_head_tie());
    TRY(read_vision());
    TRY(check_projector());
    TRY(read_tokens_and_image());
    TRY(read_end_tokens());
    TRY(check_unknown_tensors(checkpoint_, model_.findings));
    return std::move(model_);
  }

 private:
  template <class... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    model_.findings.push_back(fmt::format(text, std::forward<Args>(args)...));
  }

  // Extents of a tensor that must exist with that rank.
  Result<Shape> shape_of(const std::string& name, std::size_t rank) const {
    const CheckpointTensor* tensor = checkpoint_.find(name);
    if (tensor == nullptr)
      return bad_input("{}: tensor \"{}\" is missing; {}", checkpoint_.folder().string(), name, checkpoint_.instead_of(name));
    if (tensor->shape.size() != rank || std::ranges::find(tensor->shape, 0) != tensor->shape.end())
      return bad_input("{}: tensor \"{}\" has shape {}, expected {} extents above 0", checkpoint_.folder().string(), tensor->file_name,
                       to_string(tensor->shape), rank);
    return tensor->shape;
  }

  // An optional integer of the config, checked against what the tensors say.
  Status compare(const char* key, std::int64_t actual) {
    if (json_find(*text_, key) == nullptr) return {};
    TRY_ASSIGN(std::int64_t stated, json_integer(*text_, key, what_));
    if (stated != actual) note("config.json says {} = {}, the tensors say {}; the tensors are used", key, stated, actual);
    return {};
  }
  // One that decides how a tensor is divided: a contradiction leaves no model to export.
  Status agree(const char* key, std::int64_t derived) {
    if (json_find(*text_, key) == nullptr) return {};
    TRY_ASSIGN(std::int64_t stated, json_integer(*text_, key, what_));
    if (stated == derived) return {};
    return bad_input("{}: {} = {}, but num_attention_heads = {} and the rows of q_proj and k_proj make it {}", what_, key, stated,
                     model_.text.num_attention_heads, derived);
  }
  // What transformers' Qwen2Config has where the config is silent.
  template <class T>
  T default_of(const char* key, T value) {
    note("config.json does not say {}; the default of transformers, {}, is taken", key, value);
    return value;
  }

  std::int64_t count_modules(const Weights& parent) const {
    std::int64_t count = 0;
    while (parent.has_module(std::to_string(count))) ++count;
    return count;
  }

  Status read_text() {
    TextConfig& text = model_.text;
    TRY_ASSIGN(Shape table, shape_of("model.embed_tokens.weight", 2));
    text.vocab_size = table[0];
    text.hidden_size = table[1];
    TRY(read_layer_count());
    TRY_ASSIGN(Shape gate, shape_of("model.layers.0.mlp.gate_proj.weight", 2));
    text.intermediate_size = gate[0];
    TRY(compare("vocab_size", text.vocab_size));
    TRY(compare("hidden_size", text.hidden_size));
    TRY(compare("intermediate_size", text.intermediate_size));
    if (json_find(*text_, "rms_norm_eps") == nullptr) {
      text.rms_norm_eps = default_of("rms_norm_eps", 1e-6);
    } else {
      TRY_ASSIGN(text.rms_norm_eps, json_number(*text_, "rms_norm_eps", what_));
    }
    if (!(text.rms_norm_eps >= 0)) return bad_input("{}: rms_norm_eps must not be negative, but is {}", what_, text.rms_norm_eps);
    TRY_ASSIGN(text.rope_theta, read_rope_theta(*text_, what_, model_.findings));
    if (json_find(*text_, "max_position_embeddings") == nullptr) {
      text.max_position_embeddings = default_of("max_position_embeddings", std::int64_t{32768});
    } else {
      TRY_ASSIGN(text.max_position_embeddings, json_integer(*text_, "max_position_embeddings", what_));
    }
    return {};
  }

  // transformers builds as many layers as the config says, and passes over the tensors of others.
  Status read_layer_count() {
    const std::int64_t stored = count_modules(weights_.at("model.layers"));
    if (stored == 0) return bad_input("{}: no decoder layer (model.layers.0) found", checkpoint_.folder().string());
    model_.text.num_hidden_layers = stored;
    if (json_find(*text_, "num_hidden_layers") == nullptr) return {};
    TRY_ASSIGN(const std::int64_t stated, json_integer(*text_, "num_hidden_layers", what_));
    if (stated < 1 || stated > stored)
      return bad_input("{}: num_hidden_layers = {}, but the files hold the layers 0 to {}", what_, stated, stored - 1);
    if (stated < stored)
      note("config.json says num_hidden_layers = {}; the tensors of {} further layers are not used", stated, stored - stated);
    model_.text.num_hidden_layers = stated;
    return {};
  }

  Status read_heads() {
    TextConfig& text = model_.text;
    TRY_ASSIGN(Shape q, shape_of("model.layers.0.self_attn.q_proj.weight", 2));
    TRY_ASSIGN(Shape k, shape_of("model.layers.0.self_attn.k_proj.weight", 2));
    TRY_ASSIGN(text.num_attention_heads, json_integer(*text_, "num_attention_heads", what_));
    if (text.num_attention_heads <= 0 || q[0] % text.num_attention_heads != 0)
      return bad_input("{}: num_attention_heads = {} does not divide the {} rows of q_proj", what_, text.num_attention_heads, q[0]);
    text.head_dim = q[0] / text.num_attention_heads;
    TRY(agree("head_dim", text.head_dim));
    if (text.head_dim % 2 != 0) return bad_input("{}: a head of {} channels cannot be rotated in halves", what_, text.head_dim);
    if (k[0] % text.head_dim != 0)
      return bad_input("{}: k_proj has {} rows, no multiple of the head size {} (= {} rows of q_proj / {} heads)", what_, k[0],
                       text.head_dim, q[0], text.num_attention_heads);
    text.num_key_value_heads = k[0] / text.head_dim;
    if (text.num_attention_heads % text.num_key_value_heads != 0)
      return bad_input("{}: {} query heads cannot share {} key/value heads", what_, text.num_attention_heads, text.num_key_value_heads);
    return agree("num_key_value_heads", text.num_key_value_heads);
  }

  // Apple's reference makes the head the table itself wherever the config says tied. transformers ties only when the two do not
  // contradict each other: a head that is stored and different stays.
  Status read_head_tie() {
    const bool stored = checkpoint_.find("lm_head.weight") != nullptr, apple = checkpoint_.model_type() == "llava_qwen2";
    const Json* flag = json_find(config_, "tie_word_embeddings");
    if (flag == nullptr) flag = json_find(*text_, "tie_word_embeddings");
    if (flag != nullptr && !flag->is_boolean()) return bad_input("{}: tie_word_embeddings must be true or false", what_);
    bool& tied = model_.text.tie_word_embeddings;
    tied = flag != nullptr ? flag->get<bool>() : !stored;
    if (flag == nullptr)
      note("config.json does not say tie_word_embeddings; {}",
           stored ? "the stored lm_head.weight is the head" : "no head is stored, so it is tied");
    if (!stored && !tied) {
      note("config.json says the head is not tied, but there is no lm_head.weight; embed_tokens serves as the head");
      tied = true;
    }
    if (checkpoint_.head_apart()) tied = false;
    if (!stored || !tied) return {};
    if (apple) {
      note("lm_head.weight is stored although tied; embed_tokens serves as the head");
      return {};
    }
    TRY_ASSIGN(tied, stored_head_equals_embedding(checkpoint_));
    if (!tied)
      note("lm_head.weight differs from embed_tokens although config.json says they are tied; both are kept, as transformers does");
    return {};
  }

  Result<VisionStage> read_stage(std::size_t index) {
    const std::string path = fmt::format("model.vision_tower.stages.{}", index);
    Weights stage = weights_.at(path);
    VisionStage config;
    config.blocks = count_modules(stage.at("blocks"));
    if (config.blocks == 0) return bad_input("{}: {} has no blocks", checkpoint_.folder().string(), path);
    config.downsample = stage.has_module("downsample");
    config.pos_emb = stage.has_module("pos_emb");
    config.attention = stage.has("blocks.0.token_mixer.qkv.weight");
    TRY_ASSIGN(Shape fc1, shape_of(path + ".blocks.0.mlp.fc1.weight", 4));
    config.channels = fc1[1];
    config.mlp_channels = fc1[0];
    if (config.attention && config.channels % model_.vision.head_dim != 0)
      return bad_input("{}: {} has {} channels, no multiple of the head size {}", checkpoint_.folder().string(), path, config.channels,
                       model_.vision.head_dim);
    return config;
  }

  Status read_vision() {
    VisionConfig& vision = model_.vision;
    Weights tower = weights_.at("model.vision_tower");
    if (!tower.has_module("stem"))
      return bad_input("{}: no vision tower found; an MLX or text-only export of FastVLM cannot be exported, take the original checkpoint",
                       checkpoint_.folder().string());
    vision.training_form = in_training_form(tower);
    if (vision.training_form) note("the vision tower is in training form; its branches are fused");
    const auto stages = static_cast<std::size_t>(count_modules(tower.at("stages")));
    for (std::size_t i = 0; i < stages; ++i) {
      TRY_ASSIGN(VisionStage stage, read_stage(i));
      vision.stages.push_back(stage);
    }
    if (stages != 5)
      return bad_input("{}: {} vision stages found, FastViTHD has 5 (total stride 64)", checkpoint_.folder().string(), stages);
    vision.stem_channels = vision.stages[0].channels;
    TRY_ASSIGN(Shape squeeze, shape_of("model.vision_tower.final_conv.se.fc1.weight", 4));
    vision.squeeze_channels = squeeze[0];
    vision.hidden_size = squeeze[1];
    return {};
  }

  // The classic mismatch: a projector from another size of the model.
  Status check_projector() {
    TRY_ASSIGN(Shape first, shape_of("model.multi_modal_projector.linear_1.weight", 2));
    TRY_ASSIGN(Shape second, shape_of("model.multi_modal_projector.linear_2.weight", 2));
    const std::string folder = checkpoint_.folder().string();
    if (first[1] != model_.vision.hidden_size)
      return bad_input("{}: projection mismatch: the tower gives {} channels, projector linear_1 takes {}", folder,
                       model_.vision.hidden_size, first[1]);
    if (second[0] != model_.text.hidden_size)
      return bad_input("{}: projection mismatch: projector linear_2 gives {} channels, the decoder's hidden size is {}", folder, second[0],
                       model_.text.hidden_size);
    if (second[1] != first[0])
      return bad_input("{}: projection mismatch: linear_1 gives {} channels, linear_2 takes {}", folder, first[0], second[1]);
    if (json_find(config_, "mm_hidden_size") != nullptr) {
      TRY_ASSIGN(std::int64_t width, json_integer(config_, "mm_hidden_size", what_));
      if (width != model_.vision.hidden_size)
        note("config.json says mm_hidden_size = {}, the tensors say {}; the tensors are used", width, model_.vision.hidden_size);
    }
    return {};
  }

  Status read_tokens_and_image() {
    TRY_ASSIGN(model_.preprocessing,
               read_preprocessing(checkpoint_.side_file("preprocessor_config.json").parent_path(), config_, checkpoint_.model_type()));
    for (const std::string& finding : model_.preprocessing.findings) model_.findings.push_back(finding);
    for (const char* key : {"image_token_index", "image_token_id"}) {
      if (json_find(config_, key) == nullptr) continue;
      TRY_ASSIGN(std::int64_t id, json_integer(config_, key, what_));
      // Apple's sentinel -200 is no vocabulary id.
      if (id >= 0) model_.image_token_id = id;
    }
    return {};
  }

  // transformers stops at those of generation_config.json, or else of config.json; Apple's script at those of config.json. All of
  // them end a reply.
  Status read_end_tokens() {
    TRY(add_end_tokens(config_, what_));
    if (text_ != &config_) TRY(add_end_tokens(*text_, what_));
    const Path path = checkpoint_.side_file("generation_config.json");
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) return {};
    TRY_ASSIGN(const Json generation, read_json_file(path));
    return add_end_tokens(generation, path.string());
  }

  Status add_end_tokens(const Json& config, const std::string& what) {
    const Json* value = json_find(config, "eos_token_id");
    if (value == nullptr) return {};
    const Json ids = value->is_array() ? *value : Json::array({*value});
    for (const Json& id : ids) {
      if (!id.is_number_integer()) return bad_input("{}: eos_token_id must be a number or a list of numbers", what);
      const auto number = id.get<std::int64_t>();
      if (number < 0 || number >= model_.text.vocab_size) {
        note("eos_token_id {} of {} is none of the {} tokens and is not used", id.dump(), Path(what).filename().string(),
             model_.text.vocab_size);
      } else if (std::ranges::find(model_.eos_token_ids, number) == model_.eos_token_ids.end()) {
        model_.eos_token_ids.push_back(number);
      }
    }
    return {};
  }

  const Checkpoint& checkpoint_;
  const Json& config_;
  const Json* text_;
  Weights weights_;
  std::string what_;
  ModelConfig model_;
};

}  // namespace

Result<ModelConfig> read_model_config(const Checkpoint& checkpoint) { return Reader(checkpoint).read(); }

Result<bool> stored_head_equals_embedding(const Checkpoint& checkpoint) {
  const CheckpointTensor* head = checkpoint.find("lm_head.weight");
  const CheckpointTensor* table = checkpoint.find("model.embed_tokens.weight");
  if (head == nullptr || table == nullptr) return true;
  if (head->shape != table->shape || head->dtype != table->dtype) return false;
  if (head->file == nullptr || table->file == nullptr) return true;
  constexpr std::uint64_t kPiece = std::uint64_t{1} << 20;
  std::atomic<bool> equal{true};
  TRY(parallel_for(static_cast<std::size_t>((head->bytes + kPiece - 1) / kPiece), 0, [&](std::size_t i) -> Status {
    if (!equal) return {};
    TRY(check_interrupt());
    thread_local std::vector<std::byte> a, b;
    const std::uint64_t at = i * kPiece;
    a.resize(static_cast<std::size_t>(std::min(kPiece, head->bytes - at)));
    b.resize(a.size());
    TRY(head->file->read_at(head->offset + at, a));
    TRY(table->file->read_at(table->offset + at, b));
    if (std::memcmp(a.data(), b.data(), a.size()) != 0) equal = false;
    return {};
  }));
  return equal.load();
}

}  // namespace fastvlm
