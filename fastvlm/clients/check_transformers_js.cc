#include "fastvlm/clients/check_transformers_js.h"

#include <fmt/format.h>

#include <filesystem>
#include <set>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/layout.h"
#include "fastvlm/clients/tokenizer_files.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kConfig = "config.json";
constexpr const char* kPreprocessor = "preprocessor_config.json";
constexpr const char* kProcessor = "processor_config.json";
constexpr const char* kGeneration = "generation_config.json";
constexpr const char* kSessions[] = {"vision_encoder", "embed_tokens", "decoder_model_merged"};
constexpr std::int64_t kMaxChunks = 100;

const FixedMember kMembers[] = {
    {kPreprocessor, "/processor_class", "LlavaProcessor", "the client puts a picture into a prompt by \"LlavaProcessor\" only"},
    {kPreprocessor, "/do_rescale", true, "the graphs take pixels that are multiplied by rescale_factor"},
    {kProcessor, "/image_token", kImageToken, "a picture stands where the template writes \"<image>\""},
};

// How many chunks the client opens for a graph: said for the file, for the session in every variant, or for all at once.
std::int64_t announced_chunks(const Json& config, const std::string& file, const std::string& session) {
  const Json all = object(config, "transformers.js_config");
  const Json* said = json_find(all, "use_external_data_format");
  if (said != nullptr && said->is_object()) {
    const Json* named = json_find(*said, file);
    said = named != nullptr ? named : json_find(*said, session);
  }
  if (said == nullptr) return 0;
  if (said->is_boolean()) return said->get<bool>() ? 1 : 0;
  return said->is_number_integer() ? said->get<std::int64_t>() : 0;
}

// A chunk that is announced must be there, and one that is not announced is not opened.
void check_announced(LayoutCheck& check, const std::string& graph, std::int64_t chunks, const std::set<std::string>& named) {
  if (chunks > kMaxChunks)
    return check.miss("data", graph + "_data",
                      fmt::format("config.json announces {} chunks of external data, and the client opens {} at most", chunks, kMaxChunks));
  for (std::int64_t i = 0; i <= chunks; ++i) {
    const std::string chunk = graph + (i == 0 ? "_data" : fmt::format("_data_{}", i));
    std::error_code failure;
    const bool there = std::filesystem::is_regular_file(check.folder / chunk, failure);
    if (i < chunks && !there) check.miss("data", chunk, "config.json announces this chunk of external data, but it is missing");
    if (i == chunks && there && (i == 0 || named.contains(chunk.substr(chunk.find_last_of('/') + 1))))
      check.miss("data", chunk, "lies there, but config.json does not announce it, so a browser does not load it");
  }
}

// What the client makes of a picture of any shape: a square of this side, -1 where the file does not say.
std::int64_t side_of(const Json& json, const char* key) {
  const Json both = object(json, key);
  if (both.empty()) return integer(json, key);
  const std::int64_t height = integer(both, "height"), shortest = integer(both, "shortest_edge");
  if (height >= 0) return height == integer(both, "width") ? height : -1;
  return shortest == integer(both, "longest_edge") ? shortest : -1;
}

void check_picture(LayoutCheck& check, const Json& preprocessor, std::int64_t side) {
  const Json* cuts = json_find(preprocessor, "do_center_crop");
  const bool cut = cuts != nullptr && *cuts == true;
  const auto compare = [&](const char* key, std::int64_t length) {
    const Json* value = json_find(preprocessor, key);
    if (length == side) return;
    check.miss(
        "config", kPreprocessor,
        fmt::format("{} is {}, but the graph takes pictures of {} by {}", key, value == nullptr ? "missing" : value->dump(), side, side));
  };
  if (cut) compare("crop_size", side_of(preprocessor, "crop_size"));
  // With a cut, a size of its own is that of a border; both edges of one length leave none.
  const bool fits_in = integer(object(preprocessor, "size"), "longest_edge") >= 0 && side_of(preprocessor, "size") >= 0;
  if (!cut || fits_in) compare("size", side_of(preprocessor, "size"));
}

void check_places(LayoutCheck& check, const Json& processor, std::int64_t side) {
  const std::int64_t patch = integer(processor, "patch_size"), further = integer(processor, "num_additional_image_tokens");
  const std::int64_t wanted = (side / kVisionStride) * (side / kVisionStride);
  if (patch > 0 && (side / patch) * (side / patch) + further == wanted) return;
  check.miss("config", kProcessor,
             fmt::format("patch_size {} and num_additional_image_tokens {} do not make the {} places that a picture of {} pixels has",
                         patch, further, wanted, side));
}

DecoderSizes sizes_of(const Json& config) {
  const std::int64_t heads = integer(config, "num_attention_heads"), hidden = integer(config, "hidden_size");
  const std::int64_t head_size = integer(config, "head_dim");
  return {.layers = integer(config, "num_hidden_layers"),
          .key_value_heads = integer(config, "num_key_value_heads"),
          .head_size = head_size < 0 && heads > 0 ? hidden / heads : head_size,
          .hidden_size = hidden,
          .vocabulary = integer(config, "vocab_size")};
}

// The older client makes the empty cache in this type; the graphs have float32 in every variant.
void check_cache_type(LayoutCheck& check, const Json& config, const Variant& variant) {
  const Json section = object(config, "transformers.js_config");
  const Json* said = json_find(section, "kv_cache_dtype");
  const Json* type = said != nullptr && said->is_object() ? json_find(*said, variant.name) : said;
  if (type == nullptr || *type == "float32") return;
  check.miss("config", kConfig,
             fmt::format("kv_cache_dtype is {} for {}, but the cache of the decoder is float32", type->dump(), variant.name));
}

// The sides of the pictures that its graphs take; nothing for a variant that is not there.
std::set<std::int64_t> check_variant(LayoutCheck& check, const Json& config, const Variant& variant) {
  std::vector<std::string> there, missing;
  for (const char* name : kSessions) {
    const std::string file = std::string("onnx/") + name + variant.suffix + ".onnx";
    std::error_code failure;
    (std::filesystem::exists(check.folder / file, failure) ? there : missing).push_back(file);
  }
  // The decoder alone may be there for another layout.
  if (there.empty() || (there.size() == 1 && there.front().find("decoder") != std::string::npos && check.others)) return {};
  for (const std::string& file : missing) check.miss("files", file, fmt::format("missing; {} is there", there.front()));
  std::set<std::int64_t> sides;
  for (const char* name : kSessions) {
    const std::string file = std::string("onnx/") + name + variant.suffix + ".onnx";
    if (std::ranges::find(there, file) == there.end()) continue;
    const GraphFacts facts = check_graph(check, file, signature_of(file, sizes_of(config)), kOfTransformersJs);
    sides.insert(facts.picture_side);
    check_announced(check, file, announced_chunks(config, file.substr(file.find_last_of('/') + 1), name), facts.data_files);
  }
  check_cache_type(check, config, variant);
  return sides;
}

void check_tokens(LayoutCheck& check, const Json& config) {
  const auto tokenizer = json_of(check, "tokenizer.json");
  if (!tokenizer) return;
  const std::int64_t wanted = integer(config, "image_token_index");
  const auto id = added_token(*tokenizer, kImageToken);
  if (!id)
    check.miss("tokens", "tokenizer.json", "\"<image>\" is not among added_tokens, so no place for a picture is found");
  else if (*id != wanted)
    check.miss("tokens", kConfig, fmt::format("image_token_index is {}, but \"<image>\" is token {} of tokenizer.json", wanted, *id));
  // The ids of generation_config.json go before, where it has any.
  std::error_code failure;
  const bool generates = std::filesystem::exists(check.folder / kGeneration, failure);
  const auto generation = generates ? json_of(check, kGeneration) : std::nullopt;
  const bool before = generation && json_find(*generation, "eos_token_id") != nullptr;
  if (before) check_end_tokens(check, kGeneration, *generation, "eos_token_id", *tokenizer);
  if (!before || json_find(config, "eos_token_id") != nullptr) check_end_tokens(check, kConfig, config, "eos_token_id", *tokenizer);
}

}  // namespace

void check_transformers_js(LayoutCheck& check) {
  const auto preprocessor = json_of(check, kPreprocessor), processor = json_of(check, kProcessor);
  check_template(check, "tokenizer_config.json");
  const auto config = json_of(check, kConfig);
  if (!config) {
    json_of(check, "tokenizer.json");
    return;
  }
  if (const std::string type = text(*config, "model_type"); type != "llava_qwen2")
    check.miss("config", kConfig, fmt::format("model_type is \"{}\"; the client knows this model as \"llava_qwen2\" only", type));
  check_tokens(check, *config);
  if (const std::int64_t size = integer(*config, "head_dim"); size >= 0)
    check_heads(check, kConfig, {.count = integer(*config, "num_attention_heads"), .size = size}, integer(*config, "hidden_size"));
  for (const FixedMember& member : kMembers)
    if (const auto& json = std::string_view(member.file) == kPreprocessor ? preprocessor : processor; json)
      check_member(check, member.file, *json, member);
  std::set<std::int64_t> sides;
  bool any = false;
  for (const Variant& variant : variants()) {
    const auto found = check_variant(check, *config, variant);
    any = any || !found.empty();
    sides.insert(found.begin(), found.end());
  }
  if (!any) check.miss("files", "onnx/vision_encoder.onnx", "missing, and the graphs of every other variant too");
  sides.erase(-1);
  for (const std::int64_t side : sides) {
    if (preprocessor) check_picture(check, *preprocessor, side);
    if (processor) check_places(check, *processor, side);
  }
}

}  // namespace fastvlm::clients
