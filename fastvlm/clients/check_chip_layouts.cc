#include "fastvlm/clients/check_chip_layouts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::clients {
namespace {

constexpr std::int64_t kFloatBytes = 4;

using Tensors = std::map<std::string, Shape>;

std::int64_t last_of(const Tensors& tensors, const std::string& name, std::size_t from_behind = 0) {
  const auto row = tensors.find(name);
  return row == tensors.end() || row->second.size() <= from_behind ? -1 : row->second[row->second.size() - 1 - from_behind];
}

// The chip that layouts.json names, by its numbers; nothing without the file or for a name that we do not know.
std::optional<Chip> named_chip(LayoutCheck& check, const Json& contexts) {
  const std::string name = text(contexts, "target");
  if (const auto chosen = find_chip(known_targets(), name); chosen.ok()) return *chosen->chip;
  check.miss("chip", kLayoutsFile, fmt::format("\"{}\" is no chip that is known here, so nobody can tell what loads the contexts", name));
  return {};
}

// What layouts.json says about the contexts; a row where it says nothing.
Json contexts_of(LayoutCheck& check) {
  const auto facts = json_of(check, kLayoutsFile);
  const Json contexts = facts ? object(*facts, "contexts") : Json::object();
  if (facts && text(contexts, "made_with").empty())
    check.miss("chip", kLayoutsFile, "does not say which QAIRT made the contexts; an older one cannot load them");
  return contexts;
}

// What of the decoder's tensors does not fit; they are bound by name.
std::optional<std::string> wrong_decoder(const Tensors& inputs, const Tensors& outputs, std::int64_t context) {
  for (const char* name : {"inputs_embeds", "attention_mask", "position_ids_cos", "position_ids_sin", "past_key_0_in", "past_value_0_in"})
    if (!inputs.contains(name)) return fmt::format("has no input \"{}\", which the client feeds by this name", name);
  if (!outputs.contains("logits")) return std::string("has no output \"logits\"");
  std::int64_t layers = 0;
  for (; inputs.contains(fmt::format("past_key_{}_in", layers)); ++layers) {
    for (const char* part : {"key", "value"}) {
      if (!inputs.contains(fmt::format("past_{}_{}_in", part, layers))) return fmt::format("has no input \"past_{}_{}_in\"", part, layers);
      if (!outputs.contains(fmt::format("past_{}_{}_out", part, layers)))
        return fmt::format("has no output \"past_{}_{}_out\", so the cache would stay empty", part, layers);
    }
  }
  if (const auto expected = static_cast<std::size_t>(4 + 2 * layers); inputs.size() != expected)
    return fmt::format("has {} inputs and {} layers in a row, which are {}: a layer is missing", inputs.size(), layers, expected);
  const std::int64_t fresh = last_of(inputs, "inputs_embeds", 1), slots = last_of(inputs, "attention_mask");
  if (context > 0 && slots != context) return fmt::format("has {} slots, but the config says {}", slots, context);
  if (const std::int64_t past = last_of(inputs, "past_key_0_in"); past != slots - fresh)
    return fmt::format("keeps {} keys, but {} slots less {} new tokens are {}", past, slots, fresh, slots - fresh);
  if (last_of(inputs, "past_value_0_in", 1) != slots - fresh) return std::string("keeps more or fewer values than keys");
  return {};
}

Tensors tensors_of(const Json& rows) {
  Tensors tensors;
  for (const auto& [name, row] : rows.items())
    if (row.is_object()) tensors[name] = integers(row, "shape");
  return tensors;
}

// The table as the client reads it: no header, so only its size can tell.
void check_table(LayoutCheck& check, const std::string& file, std::int64_t rows, std::int64_t width) {
  if (!check_file(check, file)) return;
  std::error_code failure;
  const auto bytes = static_cast<std::int64_t>(std::filesystem::file_size(check.folder / file, failure));
  if (bytes == rows * width * kFloatBytes) return check.report.pass("table", file, "has a float32 row for each token");
  check.miss("table", file,
             fmt::format("has {} bytes, but {} rows of {} float32 numbers are {}; the client would read other rows than it asks for", bytes,
                         rows, width, rows * width * kFloatBytes));
}

void check_bins(LayoutCheck& check, const std::string& config, const Json& engine) {
  const Json binary = object(object(engine, "model"), "binary");
  const Json* names = json_find(binary, "ctx-bins");
  if (names == nullptr || !names->is_array() || names->empty()) return check.miss("config", config, "names no context under ctx-bins");
  for (const Json& name : *names)
    if (name.is_string()) check_file(check, "genie/" + name.get<std::string>());
}

void check_genie_tokens(LayoutCheck& check, const std::string& config, const Json& context) {
  if (integer(context, "bos-token") != -1)
    check.miss("tokens", config, "bos-token must be -1: the model was trained without a token in front of the text");
  if (const auto tokenizer = json_of(check, "genie/tokenizer.json")) check_end_tokens(check, config, context, "eos-token", *tokenizer);
}

void check_metadata(LayoutCheck& check, const Json& body) {
  const auto metadata = json_of(check, "genie/metadata.json");
  if (!metadata) return;
  const Json graphs = object(*metadata, "model_files"), context = object(body, "context"), engine = object(body, "engine");
  const std::int64_t kv_dim = integer(object(object(engine, "backend"), "QnnHtp"), "kv-dim");
  const std::int64_t rope_dim = integer(object(object(engine, "model"), "positional-encoding"), "rope-dim");
  if (graphs.empty()) check.miss("graph", "genie/metadata.json", "names no graph under model_files");
  for (const auto& [name, graph] : graphs.items()) {
    const std::string subject = "genie/metadata.json: " + name;
    const Tensors inputs = tensors_of(object(graph, "inputs")), outputs = tensors_of(object(graph, "outputs"));
    std::optional<std::string> wrong = wrong_decoder(inputs, outputs, integer(context, "size"));
    const auto differs = [&](const char* key, std::int64_t said, const char* tensor, std::int64_t is) {
      if (!wrong && said != is) wrong = fmt::format("{} is {}, but {} has {}", key, said, tensor, is);
    };
    differs("kv-dim", kv_dim, "past_key_0_in", last_of(inputs, "past_key_0_in", 1));
    differs("rope-dim", rope_dim, "position_ids_cos", last_of(inputs, "position_ids_cos"));
    differs("the size of the embedding", integer(object(body, "embedding"), "size"), "inputs_embeds", last_of(inputs, "inputs_embeds"));
    differs("n-vocab", integer(context, "n-vocab"), "logits", last_of(outputs, "logits"));
    if (wrong)
      check.miss("graph", subject, *wrong);
    else
      check.report.pass("graph", subject, "its tensors are those that the configs announce");
  }
}

// One of the two configs of the decoder, a pipeline's node or a dialog.
std::optional<Json> check_generator(LayoutCheck& check, const std::string& file, const char* key) {
  const auto config = json_of(check, file);
  if (!config) return {};
  const Json body = object(*config, key), table = object(body, "embedding"), context = object(body, "context");
  if (body.empty()) {
    check.miss("config", file, fmt::format("has no \"{}\"", key));
    return {};
  }
  if (text(table, "datatype") != "float32")
    check.miss("config", file, "the datatype of the embedding must be float32, as the table is stored");
  check_table(check, "genie/" + text(table, "lut-path"), integer(context, "n-vocab"), integer(table, "size"));
  check_file(check, "genie/" + text(object(body, "tokenizer"), "path"));
  check_genie_tokens(check, file, context);
  check_bins(check, file, object(body, "engine"));
  return body;
}

void check_image_encoder(LayoutCheck& check) {
  const std::string file = "genie/image-encoder.json";
  const auto config = json_of(check, file);
  if (!config) return;
  const Json body = object(*config, "image-encoder");
  if (body.contains("embedding")) check.miss("config", file, "an image encoder has no \"embedding\"; Genie refuses the whole config");
  if (text(object(body, "engine"), "mode") != "image") check.miss("config", file, "the mode of the engine must be \"image\"");
  check_bins(check, file, object(body, "engine"));
}

void check_text_encoder(LayoutCheck& check, const Json& generator) {
  const std::string file = "genie/text-encoder.json";
  const auto config = json_of(check, file);
  if (!config) return;
  const Json lut = object(object(*config, "text-encoder"), "lut"), table = object(generator, "embedding");
  if (integer(lut, "size") != integer(table, "size") || text(lut, "lut-path") != text(table, "lut-path"))
    check.miss("config", file,
               fmt::format("looks up rows of {} numbers in \"{}\", but text-generator.json takes rows of {} from \"{}\"",
                           integer(lut, "size"), text(lut, "lut-path"), integer(table, "size"), text(table, "lut-path")));
}

void check_backend_chip(LayoutCheck& check) {
  const auto config = json_of(check, "genie/htp_backend_ext_config.json");
  const auto chip = named_chip(check, contexts_of(check));
  if (!config || !chip) return;
  const Json* devices = json_find(*config, "devices");
  const Json device = devices != nullptr && devices->is_array() && !devices->empty() ? devices->front() : Json::object();
  const auto soc = number_of(*chip, "soc_model"), arch = number_of(*chip, "htp_arch");
  const std::string dsp = arch ? fmt::format("v{}", *arch) : "";
  if (soc && integer(device, "soc_model") != *soc)
    check.miss(
        "chip", "genie/htp_backend_ext_config.json",
        fmt::format("soc_model is {}, but the contexts are for {}, whose number is {}", integer(device, "soc_model"), chip->name, *soc));
  else if (text(device, "dsp_arch") != dsp)
    check.miss("chip", "genie/htp_backend_ext_config.json",
               fmt::format("dsp_arch is \"{}\", but the contexts are for {}, which is {}", text(device, "dsp_arch"), chip->name, dsp));
  else
    check.report.pass("chip", "genie/htp_backend_ext_config.json", fmt::format("names {}, for which the contexts were made", chip->name));
}

Tensors tensors_of(const std::vector<OnnxValue>& values) {
  Tensors tensors;
  for (const OnnxValue& value : values)
    for (const Dim& dim : value.type.dims) tensors[value.name].push_back(dim.is_static() ? dim.value : -1);
  return tensors;
}

std::optional<std::string> not_float(const std::vector<OnnxValue>& values) {
  for (const OnnxValue& value : values)
    if (value.type.dtype != Dtype::kFloat32) return fmt::format("\"{}\" must be float32, which the clients feed and take", value.name);
  return {};
}

std::optional<std::string> wrong_vision(const ContextWrapper& wrapper) {
  const Tensors inputs = tensors_of(wrapper.inputs), outputs = tensors_of(wrapper.outputs);
  if (inputs.size() != 1 || !inputs.contains("pixel_values")) return std::string("must have one input, \"pixel_values\"");
  if (outputs.size() != 1 || !outputs.contains("image_features")) return std::string("must have one output, \"image_features\"");
  return {};
}

std::optional<std::string> wrong_origin(const ContextWrapper& wrapper, const Json& contexts, const std::optional<Chip>& chip) {
  const std::string made_with = text(contexts, "made_with");
  if (!made_with.empty() && !wrapper.ep_sdk_version.empty() && wrapper.ep_sdk_version != made_with)
    return fmt::format("was made by QAIRT {}, but layouts.json says {}: contexts of one folder are of one version", wrapper.ep_sdk_version,
                       made_with);
  const auto soc = chip ? number_of(*chip, "soc_model") : std::nullopt;
  if (soc && wrapper.soc_model && *wrapper.soc_model != *soc)
    return fmt::format("was made for soc_model {}, but layouts.json names {}, which is {}", *wrapper.soc_model, chip->name, *soc);
  return {};
}

struct NpuGraphs {
  std::int64_t vision = 0;
  std::set<std::int64_t> new_tokens = {};
  std::int64_t hidden_size = -1, vocabulary = -1;
};

void check_wrapper(LayoutCheck& check, const std::string& file, const Json& contexts, const std::optional<Chip>& chip, NpuGraphs& graphs) {
  const auto wrapper = format_of_wrapper(known_targets(), Path(file))->read_wrapper(check.folder / file);
  if (!wrapper.ok()) return check.miss("graph", file, wrapper.error().message);
  const bool is_vision = file.starts_with("npu/vision_");
  const Tensors inputs = tensors_of(wrapper->inputs), outputs = tensors_of(wrapper->outputs);
  auto wrong = is_vision ? wrong_vision(*wrapper) : wrong_decoder(inputs, outputs, -1);
  if (!wrong) wrong = not_float(wrapper->inputs);
  if (!wrong) wrong = not_float(wrapper->outputs);
  if (!wrong) wrong = wrong_origin(*wrapper, contexts, chip);
  if (is_vision) ++graphs.vision;
  if (!is_vision) {
    graphs.new_tokens.insert(last_of(inputs, "inputs_embeds", 1));
    graphs.hidden_size = last_of(inputs, "inputs_embeds"), graphs.vocabulary = last_of(outputs, "logits");
  }
  if (wrong) return check.miss("graph", file, *wrong);
  check.report.pass("graph", file, "inputs, outputs, context and compiler are those that the clients want");
}

}  // namespace

void check_genie(LayoutCheck& check) {
  for (const char* file : {"genie/prompt.json", "genie/tokenizer_config.json"}) json_of(check, file);
  const auto generator = check_generator(check, "genie/text-generator.json", "text-generator");
  check_generator(check, "genie/genie_config.json", "dialog");
  if (generator) {
    check_text_encoder(check, *generator);
    check_metadata(check, *generator);
  }
  check_image_encoder(check);
  check_backend_chip(check);
}

void check_npu(LayoutCheck& check) {
  for (const char* file : {"npu/client.py", "npu/client.cc"}) check_file(check, file);
  json_of(check, "npu/tokenizer.json");
  const Json contexts = contexts_of(check);
  const auto chip = named_chip(check, contexts);
  std::set<std::string> wrappers;
  std::error_code failure;
  for (const auto& entry : std::filesystem::directory_iterator(check.folder / "npu", failure))
    if (format_of_wrapper(known_targets(), entry.path()) != nullptr) wrappers.insert("npu/" + entry.path().filename().string());
  NpuGraphs graphs;
  for (const std::string& file : wrappers) check_wrapper(check, file, contexts, chip, graphs);
  if (graphs.vision != 1) check.miss("files", "npu/vision_*_ctx.onnx", fmt::format("{} there, the clients open one", graphs.vision));
  if (!graphs.new_tokens.contains(1)) check.miss("files", "npu/decoder_ar1_*_ctx.onnx", "missing; without it no token follows the first");
  if (graphs.new_tokens.size() < 2) check.miss("files", "npu/decoder_ar*_ctx.onnx", "the decoder that takes a prompt is missing");
  if (graphs.hidden_size > 0) check_table(check, "npu/embedding_weights.raw", graphs.vocabulary, graphs.hidden_size);
}

}  // namespace fastvlm::clients
