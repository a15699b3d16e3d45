#include "fastvlm/clients/genie.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/clients/chip_layout.h"
#include "fastvlm/clients/genie_configs.h"
#include "fastvlm/clients/tokenizer_files.h"
#include "fastvlm/export/manifest_of.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kFolder = "genie/";
constexpr const char* kTable = "embedding_weights.raw";  // as GenieX looks for it; Genie is told

std::string text_of(const OrderedJson& json) { return json.dump(2) + "\n"; }

// Genie hands floats on as 16-bit codes: 65535 steps from the smallest value that a pixel can have to the largest.
Encoding pixel_encoding(const PreprocessSettings& settings) {
  double low = 0, high = 0;
  for (std::size_t i = 0; i < settings.mean.size(); ++i) {
    low = std::min(low, -settings.mean[i] / settings.std[i]);
    high = std::max(high, (settings.rescale_factor * 255 - settings.mean[i]) / settings.std[i]);
  }
  const double scale = (high - low) / 65535;
  return {.dtype = Dtype::kUint16, .scale = static_cast<float>(scale), .zero_point = static_cast<std::int32_t>(std::lround(-low / scale))};
}

// File names, relative to the folder.
std::vector<std::string> add_decoders(const LayoutInput& input, LayoutFiles& files) {
  std::vector<std::string> names;
  for (LayoutContext& context : decoder_contexts(input)) {
    names.push_back(context.file + ".bin");
    files.contexts.push_back({.file = kFolder + names.back(), .graphs = std::move(context.graphs)});
  }
  return names;
}

std::string add_vision(const LayoutInput& input, std::int64_t size, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  NpuOptions options = *p.options.npu;
  options.scales = p.scales;
  const FixedPointPicture picture{.size = size, .pixels = pixel_encoding(p.config.preprocessing.settings)};
  files.made.push_back(fixed_point_vision_graph(p.config, Weights(*p.checkpoint), options, *input.chip.target, picture));
  rewrite::run_passes(*files.made.back());
  const std::string name = fmt::format("vision_{}.bin", size);
  files.contexts.push_back({.file = kFolder + name, .graphs = {files.made.back().get()}});
  return name;
}

// What a client does before: the order of its calls is the order of the prompt.
OrderedJson prompt_json(const PreparedExport& p, std::int64_t size) {
  const PromptContract prompt = prompt_of(p);
  const PreprocessSettings settings = p.config.preprocessing.settings.at_size(static_cast<int>(size));
  return {{"order", {"before_image", "image", "after_image"}},
          {"before_image", prompt.before_image},
          {"image",
           {{"values", "float32 [1, 3, height, width], red, green and blue plane"},
            {"height", size},
            {"width", size},
            {"mode", name(settings.mode)},
            {"rescale_factor", settings.rescale_factor},
            {"mean", settings.mean},
            {"std", settings.std}}},
          {"after_image", prompt.after_image}};
}

void add_configs(const LayoutInput& input, const GenieFacts& facts, LayoutFiles& files) {
  std::vector<GraphEntry> decoders;
  for (const PreparedGraph& graph : input.prepared.graphs)
    if (graph.entry.role == GraphRole::kDecoder) decoders.push_back(graph.entry);
  auto add = [&](const char* name, const OrderedJson& json) { files.bytes[std::string(kFolder) + name] = text_of(json); };
  add("text-encoder.json", genie_text_encoder(facts));
  add("image-encoder.json", genie_image_encoder(facts));
  add("text-generator.json", genie_text_generator(facts));
  add("genie_config.json", genie_dialog(facts));
  add("metadata.json", geniex_metadata(decoders));
  add("htp_backend_ext_config.json", htp_backend_config(*input.chip.chip, input.share_weights));
}

}  // namespace

Status add_genie(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  TRY(check_chip_layout(p, "genie"));
  TRY_ASSIGN(const TokenizerFiles tokenizer, tokenizer_files(p));
  const std::int64_t size = picture_size(p);
  GenieFacts facts{.text = p.config.text,
                   .context = p.options.npu->context,
                   .end_tokens = end_tokens(p, tokenizer.tokenizer_json),
                   .pad_token = tokenizer.pad_token_id,
                   .decoder_contexts = add_decoders(input, files),
                   .vision_context = add_vision(input, size, files),
                   .table = kTable};
  add_configs(input, facts, files);
  files.tables.push_back({.file = std::string(kFolder) + kTable, .weight = p.embedding});
  files.bytes[std::string(kFolder) + "tokenizer.json"] = tokenizer.tokenizer_json;
  files.bytes[std::string(kFolder) + "tokenizer_config.json"] = tokenizer.tokenizer_config_json;
  files.bytes[std::string(kFolder) + "prompt.json"] = text_of(prompt_json(p, size));
  return {};
}

}  // namespace fastvlm::clients
