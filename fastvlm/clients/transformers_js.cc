#include "fastvlm/clients/transformers_js.h"

#include "fastvlm/base/json.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/clients/cached_files.h"
#include "fastvlm/clients/tokenizer_files.h"

namespace fastvlm::clients {
namespace {

void add_graphs(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  const Weights weights(*p.checkpoint);
  for (const Variant& variant : input.variants) {
    const VariantGraphs graphs = graphs_of(input, variant);
    auto file = [&](const char* name) { return graph_file(name, variant); };
    files.add_graph(file("vision_encoder"), image_features_graph(p.config, weights, graphs.options));
    files.add_graph(file("embed_tokens"), embed_tokens_graph(p.config, weights, graphs.table));
    add_merged_decoder(input, variant, files);
  }
}

// The client opens a "_data" file only where this says so, and fails where one is said and missing.
OrderedJson client_section(const LayoutInput& input, const LayoutFiles& files) {
  OrderedJson chunks = OrderedJson::object();
  for (const Variant& variant : input.variants)
    for (const char* name : {"vision_encoder", "embed_tokens", "decoder_model_merged"})
      if (const std::string file = graph_file(name, variant); !files.data_of.at(file)->weights().empty())
        chunks[file.substr(file.find_last_of('/') + 1)] = 1;
  OrderedJson section = {{"use_external_data_format", chunks}, {"kv_cache_dtype", {{"fp16", "float32"}}}};
  // Without the full precision, which is the default, nothing would be found.
  bool full = false;
  for (const Variant& variant : input.variants) full = full || std::string_view(variant.suffix).empty();
  if (!full) section["dtype"] = input.variants.front().name;
  return section;
}

// One spelling whatever the dialect of the checkpoint: the client knows no other.
OrderedJson config_json(const ModelConfig& config, const TokenizerFiles& tokenizer) {
  const TextConfig& text = config.text;
  return {{"architectures", {"LlavaQwen2ForCausalLM"}},
          {"model_type", "llava_qwen2"},
          {"hidden_act", "silu"},
          {"hidden_size", text.hidden_size},
          {"intermediate_size", text.intermediate_size},
          {"num_hidden_layers", text.num_hidden_layers},
          {"num_attention_heads", text.num_attention_heads},
          {"num_key_value_heads", text.num_key_value_heads},
          {"head_dim", text.head_dim},
          {"vocab_size", text.vocab_size},
          {"max_position_embeddings", text.max_position_embeddings},
          {"rope_theta", text.rope_theta},
          {"rms_norm_eps", text.rms_norm_eps},
          {"tie_word_embeddings", text.tie_word_embeddings},
          {"mm_hidden_size", config.vision.hidden_size},
          {"image_token_index", tokenizer.image_token_id},
          {"eos_token_id", end_tokens_json(config, tokenizer.tokenizer_json)},
          {"pad_token_id", tokenizer.pad_token_id}};
}

// The longest edge makes the client fit the picture in and centre it on black, as the model was trained. Both edges of one length are
// those of the graph (verify --layout says so).
OrderedJson size_of(const PreprocessSettings& settings) {
  const int side = settings.resized_side();
  if (settings.mode == ImageMode::kStretch) return {{"height", side}, {"width", side}};
  if (settings.mode == ImageMode::kCrop) return {{"shortest_edge", side}};
  return {{"shortest_edge", side}, {"longest_edge", side}};
}

// The client cuts both sides of a picture, or puts a border around both; where one side needs this and the other that, it fails.
Status check_picture(const PreprocessSettings& settings) {
  if (settings.mode == ImageMode::kStretch) return {};
  if (settings.mode == ImageMode::kPad && !settings.resize)
    return bad_input("transformers-js cannot pad a picture without resizing it, as the image processor of this checkpoint does");
  const int side = settings.resized_side();
  const bool fits = settings.mode == ImageMode::kPad ? side == settings.size : side >= settings.size;
  if (!settings.resize || fits) return {};
  return bad_input(
      "transformers-js cannot make {0} by {0} pixels of a picture that is not square and resized to {1}, as in this checkpoint",
      settings.size, side);
}

OrderedJson preprocessor_json(const PreprocessSettings& settings) {
  return {{"processor_class", "LlavaProcessor"},
          {"image_processor_type", "CLIPImageProcessor"},
          {"do_convert_rgb", true},
          {"do_resize", settings.resize},
          {"size", size_of(settings)},
          {"resample", static_cast<int>(settings.filter)},
          {"do_center_crop", true},
          {"crop_size", {{"height", settings.size}, {"width", settings.size}}},
          {"do_rescale", true},
          {"rescale_factor", settings.rescale_factor},
          {"do_normalize", true},
          {"image_mean", settings.mean},
          {"image_std", settings.std}};
}

OrderedJson generation_json(const PreparedExport& p, const TokenizerFiles& tokenizer) {
  const auto own = p.small_files.find("generation_config.json");
  OrderedJson json = own == p.small_files.end() ? OrderedJson::object() : OrderedJson::parse(own->second);
  json["eos_token_id"] = end_tokens_json(p.config, tokenizer.tokenizer_json);
  if (!json.contains("pad_token_id")) json["pad_token_id"] = tokenizer.pad_token_id;
  return json;
}

}  // namespace

Status add_transformers_js(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  const PreprocessSettings picture = p.config.preprocessing.settings.at_size(static_cast<int>(p.image_size));
  TRY(check_picture(picture));
  TRY_ASSIGN(const TokenizerFiles tokenizer, tokenizer_files(p));
  add_graphs(input, files);
  OrderedJson config = config_json(p.config, tokenizer);
  config["transformers.js_config"] = client_section(input, files);
  files.bytes["config.json"] = json_file_text(config);
  files.bytes["generation_config.json"] = json_file_text(generation_json(p, tokenizer));
  files.bytes["preprocessor_config.json"] = json_file_text(preprocessor_json(picture));
  files.bytes["processor_config.json"] = json_file_text({{"processor_class", "LlavaProcessor"},
                                                         {"image_token", kImageToken},
                                                         {"patch_size", kVisionStride},
                                                         {"num_additional_image_tokens", 0},
                                                         {"vision_feature_select_strategy", "full"}});
  files.bytes["tokenizer.json"] = tokenizer.tokenizer_json;
  files.bytes["tokenizer_config.json"] = tokenizer.tokenizer_config_json;
  return {};
}

}  // namespace fastvlm::clients
