#include "fastvlm/clients/check_genai.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/layout.h"
#include "fastvlm/clients/tokenizer_files.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kOfGraph = "that is no name of the graph";
constexpr const char* kMain = "genai_config.json";  // and those that are laid over it

const FixedMember kMembers[] = {
    {kMain, "/model/decoder/inputs/inputs_embeds", "inputs_embeds", kOfGraph},
    {kMain, "/model/decoder/inputs/attention_mask", "attention_mask", kOfGraph},
    {kMain, "/model/decoder/inputs/position_ids", "position_ids", kOfGraph},
    {kMain, "/model/decoder/inputs/past_key_names", "past_key_values.%d.key", kOfGraph},
    {kMain, "/model/decoder/inputs/past_value_names", "past_key_values.%d.value", kOfGraph},
    {kMain, "/model/decoder/outputs/logits", "logits", kOfGraph},
    {kMain, "/model/decoder/outputs/present_key_names", "present.%d.key", kOfGraph},
    {kMain, "/model/decoder/outputs/present_value_names", "present.%d.value", kOfGraph},
    {kMain, "/model/vision/inputs/pixel_values", "pixel_values", kOfGraph},
    {kMain, "/model/vision/outputs/image_features", "image_features", kOfGraph},
    {kMain, "/model/embedding/inputs/input_ids", "input_ids", kOfGraph},
    {kMain, "/model/embedding/inputs/image_features", "image_features", kOfGraph},
    {kMain, "/model/embedding/outputs/inputs_embeds", "inputs_embeds", kOfGraph},
    {kMain, "/search/past_present_share_buffer", false, "the cache of the decoder grows by concatenation and cannot be one buffer"},
};

void check_marks(LayoutCheck& check, const Json& tokenizer, const std::string& file, const std::string& embedding) {
  std::set<std::int64_t> ids;
  for (const char* mark : kPictureMarks) {
    const auto id = added_token(tokenizer, mark);
    if (!id) return check.miss("tokens", file, fmt::format("\"{}\" is not among added_tokens, so a picture has no place", mark));
    ids.insert(*id);
  }
  const auto compared = compared_ids(check.folder / embedding);
  if (compared.empty() || compared == ids) return;
  check.miss(
      "tokens", file,
      fmt::format("the marks of a picture are tokens {}, but {} looks for {}", fmt::join(ids, ", "), embedding, fmt::join(compared, ", ")));
}

// The steps by which a picture becomes pixels: the last that changes its size makes what the graph takes.
void check_processor(LayoutCheck& check, const std::string& file, std::int64_t side) {
  const auto config = json_of(check, file);
  if (!config) return;
  const Json processor = object(*config, "processor");
  const Json* steps = json_find(processor, "transforms");
  std::set<std::string> types;
  std::int64_t width = -1, height = -1;
  if (steps != nullptr && steps->is_array())
    for (const Json& step : *steps) {
      const Json operation = object(step, "operation"), attributes = object(operation, "attrs");
      const std::string type = text(operation, "type");
      types.insert(type);
      if (type == "Resize" || type == "CenterCrop") width = integer(attributes, "width"), height = integer(attributes, "height");
    }
  for (const char* type : {"DecodeImage", "Rescale", "Permute3D"})
    if (!types.contains(type)) check.miss("config", file, fmt::format("has no step {}, so the graph gets other pixels", type));
  if (side > 0 && (width != side || height != side))
    check.miss("config", file, fmt::format("makes pictures of {} by {} pixels, but the graph takes {} by {}", width, height, side, side));
}

void check_tokenizer(LayoutCheck& check, const std::string& file, const Json& model, const std::string& embedding) {
  const std::string folder = text(model, "tokenizer_dir").empty() ? "" : text(model, "tokenizer_dir") + "/";
  check_template(check, folder + "tokenizer_config.json");
  const auto tokenizer = json_of(check, folder + "tokenizer.json");
  if (!tokenizer) return;
  check_marks(check, *tokenizer, folder + "tokenizer.json", embedding);
  check_end_tokens(check, file, model, "eos_token_id", *tokenizer);
}

void check_genai_config(LayoutCheck& check, const std::string& name) {
  const auto config = json_of(check, name);
  if (!config) return;
  const Json model = object(*config, "model"), decoder = object(model, "decoder"), vision = object(model, "vision");
  if (const std::string type = text(model, "type"); type != "videochat_flash_qwen")
    check.miss("config", name, fmt::format("the type of the model is \"{}\" and must be \"videochat_flash_qwen\"", type));
  for (const FixedMember& member : kMembers) check_member(check, name, *config, member);
  const DecoderSizes sizes{.layers = integer(decoder, "num_hidden_layers"),
                           .key_value_heads = integer(decoder, "num_key_value_heads"),
                           .head_size = integer(decoder, "head_size"),
                           .hidden_size = integer(decoder, "hidden_size"),
                           .vocabulary = integer(model, "vocab_size"),
                           .image_tokens = integer(vision, "num_visual_tokens")};
  const std::string embedding = text(object(model, "embedding"), "filename");
  std::int64_t side = -1;
  for (const std::string& file : {text(decoder, "filename"), text(vision, "filename"), embedding})
    if (check_file(check, file)) side = std::max(side, check_graph(check, file, signature_of(file, sizes), kOfGenai).picture_side);
  check_heads(check, name, {.count = integer(decoder, "num_attention_heads"), .size = sizes.head_size}, sizes.hidden_size);
  check_processor(check, text(vision, "config_filename"), side);
  check_tokenizer(check, name, model, embedding);
}

}  // namespace

void check_onnxruntime_genai(LayoutCheck& check) {
  check_genai_config(check, kMain);
  for (const Variant& variant : variants()) {
    const std::string further = fmt::format("genai_config_{}.json", variant.name);
    std::error_code failure;
    if (std::filesystem::exists(check.folder / further, failure)) check_genai_config(check, further);
  }
}

}  // namespace fastvlm::clients
