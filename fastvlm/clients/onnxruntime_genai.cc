#include "fastvlm/clients/onnxruntime_genai.h"

#include <fmt/format.h>

#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/clients/cached_files.h"
#include "fastvlm/clients/tokenizer_files.h"

namespace fastvlm::clients {
namespace {

// Not "processor_config.json", the client's default: Hugging Face has another file of that name.
constexpr const char* kProcessor = "genai_processor_config.json";
constexpr const char* kTokenizerFolder = "genai";

void add_graphs(const LayoutInput& input, const PictureTokens& tokens, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  const Weights weights(*p.checkpoint);
  for (const Variant& variant : input.variants) {
    const VariantGraphs graphs = graphs_of(input, variant);
    auto file = [&](const char* name) { return graph_file(name, variant); };
    files.add_graph(file("genai_vision_encoder"), flat_image_features_graph(p.config, weights, graphs.options), file("vision_encoder"));
    files.add_graph(file("genai_embedding"), merged_embeddings_graph(p.config, weights, graphs.table, tokens), file("embed_tokens"));
    add_merged_decoder(input, variant, files);
  }
}

OrderedJson decoder_json(const TextConfig& text, const Variant& variant) {
  return {{"filename", graph_file("decoder_model_merged", variant)},
          {"session_options", {{"provider_options", OrderedJson::array()}}},
          {"head_size", text.head_dim},
          {"hidden_size", text.hidden_size},
          {"num_attention_heads", text.num_attention_heads},
          {"num_key_value_heads", text.num_key_value_heads},
          {"num_hidden_layers", text.num_hidden_layers},
          {"inputs",
           {{"inputs_embeds", "inputs_embeds"},
            {"attention_mask", "attention_mask"},
            {"position_ids", "position_ids"},
            {"past_key_names", "past_key_values.%d.key"},
            {"past_value_names", "past_key_values.%d.value"}}},
          {"outputs", {{"logits", "logits"}, {"present_key_names", "present.%d.key"}, {"present_value_names", "present.%d.value"}}}};
}

OrderedJson vision_json(const PreparedExport& p, const Variant& variant) {
  const std::int64_t side = p.image_size / kVisionStride;
  return {{"filename", graph_file("genai_vision_encoder", variant)},
          {"config_filename", kProcessor},
          {"num_visual_tokens", side * side},
          {"inputs", {{"pixel_values", "pixel_values"}}},
          {"outputs", {{"image_features", "image_features"}}}};
}

// The client refuses keys that it does not know. Buffers are allocated by these numbers, so they must be those of the graphs. The
// cache grows by concatenation and cannot be one buffer.
OrderedJson genai_config(const PreparedExport& p, const MarkedTokenizer& tokenizer, const Variant& variant) {
  const TextConfig& text = p.config.text;
  return {{"model",
           {{"type", "videochat_flash_qwen"},
            {"bos_token_id", tokenizer.pad_token_id},
            {"eos_token_id", end_tokens_json(p.config, tokenizer.tokenizer_json)},
            {"pad_token_id", tokenizer.pad_token_id},
            {"vocab_size", text.vocab_size},
            {"context_length", text.max_position_embeddings},
            {"tokenizer_dir", kTokenizerFolder},
            {"decoder", decoder_json(text, variant)},
            {"vision", vision_json(p, variant)},
            {"embedding",
             {{"filename", graph_file("genai_embedding", variant)},
              {"inputs", {{"input_ids", "input_ids"}, {"image_features", "image_features"}}},
              {"outputs", {{"inputs_embeds", "inputs_embeds"}}}}}}},
          {"search", {{"do_sample", false}, {"max_length", text.max_position_embeddings}, {"past_present_share_buffer", false}}}};
}

Result<std::string> filter_name(ResizeFilter filter) {
  switch (filter) {
    case ResizeFilter::kNearest: return std::string("NEAREST");
    case ResizeFilter::kLanczos: return std::string("LANCZOS");
    case ResizeFilter::kBilinear: return std::string("LINEAR");
    case ResizeFilter::kBicubic: return std::string("CUBIC");
    default: return bad_input("onnxruntime-genai has no filter \"{}\", by which this checkpoint resizes pictures", name(filter));
  }
}

OrderedJson step(const char* name, const char* type, OrderedJson attributes) {
  return {{"operation", {{"name", name}, {"type", type}, {"attrs", std::move(attributes)}}}};
}

// The client knows no padding: both sides of a picture are resized, and its cut is never larger than what it is made from.
Result<OrderedJson> fit_steps(const PreprocessSettings& settings) {
  OrderedJson steps = OrderedJson::array();
  if (settings.resize) {
    TRY_ASSIGN(const std::string filter, filter_name(settings.filter));
    const int side = settings.resized_side();
    steps.push_back(step("resize", "Resize", {{"width", side}, {"height", side}, {"interpolation", filter}, {"keep_aspect_ratio", 0}}));
    if (side == settings.size) return steps;
    if (side < settings.size)
      return bad_input("onnxruntime-genai cannot put a border around a picture; this checkpoint resizes it to {} pixels and takes {}", side,
                       settings.size);
  }
  steps.push_back(step("cut", "CenterCrop", {{"width", settings.size}, {"height", settings.size}}));
  return steps;
}

Result<OrderedJson> processor_json(const PreprocessSettings& settings) {
  OrderedJson steps = OrderedJson::array();
  steps.push_back(step("decode_image", "DecodeImage", {{"color_space", "RGB"}}));
  TRY_ASSIGN(const OrderedJson fit, fit_steps(settings));
  steps.insert(steps.end(), fit.begin(), fit.end());
  steps.push_back(step("rescale", "Rescale", {{"rescale_factor", settings.rescale_factor}}));
  steps.push_back(step("normalize", "Normalize", {{"mean", settings.mean}, {"std", settings.std}}));
  steps.push_back(step("to_channels_first", "Permute3D", {{"dims", {2, 0, 1}}}));
  return OrderedJson{{"processor", {{"name", "fastvlm_image_processor"}, {"transforms", steps}}}};
}

}  // namespace

Status add_onnxruntime_genai(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  TRY_ASSIGN(const MarkedTokenizer tokenizer, marked_tokenizer(p));
  TRY_ASSIGN(const OrderedJson processor, processor_json(p.config.preprocessing.settings.at_size(static_cast<int>(p.image_size))));
  add_graphs(input, tokenizer.tokens, files);
  for (const Variant& variant : input.variants) {
    const bool first = &variant == &input.variants.front();
    files.bytes[first ? "genai_config.json" : fmt::format("genai_config_{}.json", variant.name)] =
        json_file_text(genai_config(p, tokenizer, variant));
  }
  files.bytes[kProcessor] = json_file_text(processor);
  files.bytes[std::string(kTokenizerFolder) + "/tokenizer.json"] = tokenizer.tokenizer_json;
  files.bytes[std::string(kTokenizerFolder) + "/tokenizer_config.json"] = tokenizer.tokenizer_config_json;
  return {};
}

}  // namespace fastvlm::clients
