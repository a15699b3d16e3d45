#include "fastvlm/clients/npu_layout.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/clients/chip_layout.h"
#include "fastvlm/clients/npu_clients.h"
#include "fastvlm/export/manifest_of.h"
#include "fastvlm/ops/reference.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kFolder = "npu/";
constexpr const char* kTable = "embedding_weights.raw";

using Facts = std::map<std::string, std::string>;

std::string filled(std::string text, const Facts& facts) {
  for (const auto& [key, value] : facts) {
    const std::string place = "@" + key + "@";
    for (auto at = text.find(place); at != std::string::npos; at = text.find(place, at + value.size()))
      text.replace(at, place.size(), value);
  }
  return text;
}

// "1, 2" of [1, 2].
std::string listed(const OrderedJson& values) {
  std::string text;
  for (const auto& value : values) text += (text.empty() ? "" : ", ") + value.dump();
  return text;
}

// Ids above those of the tokenizer mean nothing, though the head has rows for them.
std::int64_t token_count(const Json& tokenizer) {
  std::int64_t last = -1;
  for (const auto& entry : tokenizer.at("model").at("vocab").items()) last = std::max(last, entry.value().get<std::int64_t>());
  for (const Json& token : tokenizer.value("added_tokens", Json::array())) last = std::max(last, token.at("id").get<std::int64_t>());
  return last + 1;
}

// Lines of Python that make `picture` a square of the right size, as the model was trained.
std::string fit_lines(const PreprocessSettings& s) {
  const std::string side = std::to_string(s.resized_side()), filter = fmt::format("Image.Resampling({})", static_cast<int>(s.filter));
  std::string lines;
  if (s.mode == ImageMode::kPad)
    lines += fmt::format(
        "square = Image.new(\"RGB\", (max(picture.size),) * 2, ({}, {}, {}))\n"
        "square.paste(picture, ((square.width - picture.width) // 2, (square.height - picture.height) // 2))\npicture = square\n",
        s.pad_color[0], s.pad_color[1], s.pad_color[2]);
  if (s.resize && s.mode == ImageMode::kCrop)
    lines += fmt::format("picture = picture.resize([{} * edge // min(picture.size) for edge in picture.size], {})\n", side, filter);
  if (s.resize && s.mode != ImageMode::kCrop) lines += fmt::format("picture = picture.resize(({0}, {0}), {1})\n", side, filter);
  return lines + fmt::format(
                     "left, top = (picture.width - {0}) // 2, (picture.height - {0}) // 2\n"
                     "picture = picture.crop((left, top, left + {0}, top + {0}))",
                     s.size);
}

Facts facts_of(const LayoutInput& input, const std::string& tokenizer_json) {
  const PreparedExport& p = input.prepared;
  const TextConfig& text = p.config.text;
  const PreprocessSettings settings = p.config.preprocessing.settings.at_size(static_cast<int>(picture_size(p)));
  const PromptContract prompt = prompt_of(p);
  OrderedJson decoders = OrderedJson::array();
  std::string vision;
  for (const PreparedGraph& graph : p.graphs) {
    if (graph.entry.role == GraphRole::kDecoder) decoders.push_back(graph.entry.name + "_ctx.onnx");
    if (graph.entry.role == GraphRole::kVision) vision = graph.entry.name + "_ctx.onnx";
  }
  return {{"HEADER", "onnxruntime_cxx_api.h"},
          {"DECODERS", listed(decoders)},
          {"VISION", vision},
          {"TABLE", kTable},
          {"PIXELS", std::to_string(3 * settings.size * settings.size)},
          {"CONTEXT", std::to_string(p.options.npu->context)},
          {"LAYERS", std::to_string(text.num_hidden_layers)},
          {"KV", std::to_string(text.num_key_value_heads)},
          {"D", std::to_string(text.head_dim)},
          {"H", std::to_string(text.hidden_size)},
          {"THETA", fmt::format("{:.1f}", text.rope_theta)},
          {"HIDDEN", fmt::format("{:.0f}", ops::kMaskHidden)},
          {"TOKENS", std::to_string(token_count(Json::parse(tokenizer_json)))},
          {"END", listed(end_tokens(p.config.eos_token_ids, tokenizer_json))},
          {"BEFORE", OrderedJson(prompt.before_image).dump()},
          {"AFTER", OrderedJson(prompt.after_image).dump()},
          {"FIT", fit_lines(settings)},
          {"RESCALE", OrderedJson(settings.rescale_factor).dump()},
          {"MEAN", OrderedJson(settings.mean).dump()},
          {"STD", OrderedJson(settings.std).dump()}};
}

// Plug-in and compiler name a context after its first graph.
LayoutContext wrapped(std::vector<const Graph*> graphs) {
  std::string file = fmt::format("{}{}_ctx_qnn.bin", kFolder, graphs.front()->name());
  return {.file = std::move(file), .graphs = std::move(graphs), .wrapped = true};
}

}  // namespace

Status add_npu_layout(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  TRY(check_chip_layout(p, "npu"));
  const auto tokenizer = p.small_files.find("tokenizer.json");
  if (tokenizer == p.small_files.end())
    return bad_input("{}: has no tokenizer, which the layout needs; add tokenizer.json, or vocab.json and merges.txt",
                     p.options.model_dir.string());
  for (LayoutContext& context : decoder_contexts(input)) files.contexts.push_back(wrapped(std::move(context.graphs)));
  for (const PreparedGraph& graph : p.graphs)
    if (graph.entry.role == GraphRole::kVision) files.contexts.push_back(wrapped({graph.graph.get()}));
  const Facts facts = facts_of(input, tokenizer->second);
  files.tables.push_back({.file = std::string(kFolder) + kTable, .weight = p.embedding});
  files.bytes[std::string(kFolder) + "tokenizer.json"] = tokenizer->second;
  files.bytes[std::string(kFolder) + "client.py"] = filled(kPythonClient, facts);
  files.bytes[std::string(kFolder) + "client.cc"] = filled(kCppClient, facts);
  return {};
}

}  // namespace fastvlm::clients
