#include "fastvlm/checkpoint/settings.h"

#include <algorithm>
#include <array>

#include "fastvlm/base/ascii.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

enum class Place : std::uint8_t { kTop, kText, kVision, kVisionArgs };

// A key and the values that it may have, as JSON texts; null and absent are always right.
struct Setting {
  Place place;
  std::string_view key;
  std::array<std::string_view, 3> allowed;
  std::string_view why;  // what FastVLM has, for the message
};

constexpr std::array kSettings = {
    Setting{Place::kText, "hidden_act", {R"("silu")", R"("swish")"}, "FastVLM has silu"},
    Setting{Place::kText, "use_sliding_window", {"false"}, "every layer of FastVLM sees the whole context"},
    Setting{Place::kText, "partial_rotary_factor", {"1.0", "1"}, "FastVLM rotates whole heads"},
    Setting{Place::kTop, "mm_projector_type", {R"("mlp2x_gelu")"}, "FastVLM has mlp2x_gelu"},
    Setting{Place::kTop, "projector_hidden_act", {R"("gelu")"}, "FastVLM has gelu"},
    Setting{Place::kTop, "multimodal_projector_bias", {"true"}, "the projector of FastVLM has biases"},
    Setting{Place::kTop, "use_mm_proj", {"true"}, "FastVLM has a projector"},
    Setting{Place::kTop, "mm_patch_merge_type", {R"("flat")"}, "FastVLM has flat"},
    Setting{Place::kTop, "mm_resampler_type", {}, "FastVLM has no resampler"},
    Setting{Place::kTop, "s2", {"false"}, "FastVLM takes a picture at one scale"},
    Setting{Place::kTop, "mm_use_im_start_end", {"false"}, "the prompt of FastVLM has no marker tokens around the picture"},
    Setting{Place::kTop, "vision_feature_layer", {"-1"}, "FastVLM takes the last feature map"},
    Setting{Place::kTop, "vision_feature_select_strategy", {R"("full")"}, "FastVLM takes all picture tokens"},
    Setting{
        Place::kTop, "image_aspect_ratio", {R"("pad")", R"("square")"}, "pictures are padded (pad) or cropped (null, square), not tiled"},
    Setting{Place::kTop, "transformers_weights", {}, "the weights must lie in model.safetensors or the files of its index"},
    Setting{Place::kVision, "architecture", {R"("fastvit_mci3")"}, "FastVLM has fastvit_mci3"},
    Setting{Place::kVisionArgs, "lkc_use_act", {"true"}, "the large convolutions of FastViTHD have an activation"},
    Setting{Place::kVisionArgs, "act_layer", {R"("gelu")"}, "FastViTHD has gelu"},
    Setting{Place::kVisionArgs, "stem_use_scale_branch", {"false"}, "the stem of FastViTHD has no scale branch"},
    Setting{Place::kVisionArgs, "down_stride", {"2"}, "each stage of FastViTHD halves the map"},
    Setting{Place::kVisionArgs, "use_layer_scale", {"true"}, "FastViTHD has layer scales"},
};

// Arguments of the tower that the tensors tell, or that change nothing at inference.
constexpr std::array<std::string_view, 22> kHarmlessArgs = {
    "inference_mode", "layers",          "embed_dims",     "mlp_ratios",     "downsamples", "num_classes",
    "global_pool",    "in_chans",        "drop_rate",      "drop_path_rate", "proj_drop",   "layer_scale_init_value",
    "cls_ratio",      "down_patch_size", "fork_feat",      "pretrained",     "img_size",    "repmixer_kernel_size",
    "pos_embs",       "norm_layer",      "pretrained_cfg", "features_only"};

std::string shown(const Json& value) {
  std::string text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  return text.size() > 80 ? text.substr(0, 80) + "…" : text;
}

Error unsupported(std::string_view what, std::string_view key, const Json& value, std::string_view why) {
  return bad_input("{}: {} = {} is not supported; {}", what, key, shown(value), why);
}

const Json* part_of(const Json& config, const Json& text, Place place) {
  if (place == Place::kTop) return &config;
  if (place == Place::kText) return &text;
  const Json* vision = json_find(config, "vision_config");
  if (vision == nullptr || place == Place::kVision) return vision;
  return json_find(*vision, "model_args");
}

Status check_tables(const Json& config, const Json& text, std::string_view what) {
  for (const Setting& row : kSettings) {
    const Json* part = part_of(config, text, row.place);
    const Json* value = part == nullptr ? nullptr : json_find(*part, row.key);
    if (value == nullptr) continue;
    const std::string stored = value->dump(-1, ' ', false, Json::error_handler_t::replace);
    if (std::ranges::find(row.allowed, stored) == row.allowed.end()) return unsupported(what, row.key, *value, row.why);
  }
  return {};
}

// Every entry of a list, or the value itself, must be `wanted`.
Status check_all(const Json* part, const char* key, const Json& wanted, std::string_view what, std::string_view why) {
  const Json* list = part == nullptr ? nullptr : json_find(*part, key);
  if (list == nullptr) return {};
  const bool right = list->is_array() ? std::ranges::all_of(*list, [&](const Json& j) { return j == wanted; }) : *list == wanted;
  return right ? Status() : unsupported(what, key, *list, why);
}

Status check_vision(const Json& config, std::string_view what) {
  const Json* args = part_of(config, config, Place::kVisionArgs);
  if (args == nullptr) return {};
  if (!args->is_object()) return bad_input("{}: model_args of vision_config must be an object", what);
  TRY(check_all(args, "se_downsamples", false, what, "the downsampling of FastViTHD has no squeeze-excite"));
  const Json mixers = {"repmixer", "repmixer", "repmixer", "attention", "attention"};
  if (const Json* value = json_find(*args, "token_mixers"); value != nullptr && *value != mixers)
    return unsupported(what, "token_mixers", *value, "FastViTHD has three stages of repmixer and two of attention");
  for (const auto& [key, value] : args->items()) {
    const bool known = key == "se_downsamples" || key == "token_mixers" || std::ranges::find(kHarmlessArgs, key) != kHarmlessArgs.end() ||
                       std::ranges::any_of(kSettings, [&](const Setting& s) { return s.place == Place::kVisionArgs && s.key == key; });
    if (!known && !value.is_null()) return unsupported(what, key, value, "this argument of the tower is not known");
  }
  return {};
}

// The decoder that a nested config names. Apple's own conversions call theirs llava_qwen2.
Status check_decoder_type(const Json& config, std::string_view what) {
  const Json* text = json_find(config, "text_config");
  const Json* type = text == nullptr ? nullptr : json_find(*text, "model_type");
  if (type == nullptr || *type == "qwen2" || *type == "llava_qwen2") return {};
  return unsupported(what, "model_type of text_config", *type, "the decoder of FastVLM is qwen2");
}

Status check_tower_name(const Json& config, std::string_view what) {
  const Json* tower = json_find(config, "mm_vision_tower");
  if (tower == nullptr) return {};
  const std::string name = tower->is_string() ? in_small_letters(tower->get<std::string>()) : std::string();
  if (name.find("mobileclip") != std::string::npos) return {};
  return unsupported(what, "mm_vision_tower", *tower, "the tower of FastVLM is mobileclip_l_1024");
}

// Only the CLIP tower of LLaVA reads these; the reference's FastViTHD gives its last feature map and all of its tokens whatever
// they say. Each with the value of FastVLM's own configs.
void note_ignored_by_tower(const Json& config, std::vector<std::string>& findings) {
  struct Ignored {
    const char* key;
    Json usual;
  };
  for (const Ignored& row : {Ignored{"mm_vision_select_layer", -2}, Ignored{"mm_vision_select_feature", "patch"}})
    if (const Json* value = json_find(config, row.key); value != nullptr && *value != row.usual)
      findings.push_back(fmt::format("{} = {} changes nothing, as in the reference: FastViTHD gives all tokens of its last feature map",
                                     row.key, shown(*value)));
}

void note_unused(const Json& config, std::vector<std::string>& findings) {
  note_ignored_by_tower(config, findings);
  if (const Json* points = json_find(config, "image_grid_pinpoints"); points != nullptr)
    findings.push_back("image_grid_pinpoints is not used: pictures are not tiled with this image_aspect_ratio");
  if (const Json* patch = json_find(config, "mm_use_im_patch_token"); patch != nullptr && *patch == true)
    findings.push_back("mm_use_im_patch_token adds a token that no prompt holds; it changes nothing");
}

}  // namespace

Status check_settings(const Json& config, const Json& text, std::string_view what, std::vector<std::string>& findings) {
  TRY(check_decoder_type(config, what));
  TRY(check_tables(config, text, what));
  TRY(check_all(&text, "layer_types", "full_attention", what, "every layer of FastVLM sees the whole context"));
  TRY(check_vision(config, what));
  TRY(check_tower_name(config, what));
  note_unused(config, findings);
  return {};
}

Result<double> read_rope_theta(const Json& text, std::string_view what, std::vector<std::string>& findings) {
  constexpr double kDefault = 10000;  // Qwen2Config of transformers
  const Json* theta = nullptr;
  for (const char* key : {"rope_parameters", "rope_scaling"}) {
    const Json* rope = json_find(text, key);
    if (rope == nullptr) continue;
    if (!rope->is_object()) return unsupported(what, key, *rope, "FastVLM has no scaling of positions");
    for (const auto& [name, value] : rope->items()) {
      const bool type = name == "rope_type" || name == "type";
      if (!value.is_null() && !(type && value == "default") && name != "rope_theta" && !(name == "partial_rotary_factor" && value == 1.0))
        return unsupported(what, key, *rope, "FastVLM has no scaling of positions");
    }
    if (theta == nullptr) theta = json_find(*rope, "rope_theta");
  }
  if (theta == nullptr) theta = json_find(text, "rope_theta");
  if (theta == nullptr) {
    findings.push_back("config.json does not say rope_theta; the default of transformers, 10000, is taken");
    return kDefault;
  }
  if (!theta->is_number()) return bad_input("{}: rope_theta must be a number, but is {}", what, theta->type_name());
  const auto value = theta->get<double>();
  if (!(value > 1)) return bad_input("{}: rope_theta must be above 1, but is {}", what, value);
  return value;
}

}  // namespace fastvlm
