#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "fastvlm/clients/check_chip_layouts.h"
#include "fastvlm/clients/check_contexts.h"
#include "fastvlm/clients/check_layout_files.h"

namespace fastvlm::clients {
namespace {

constexpr const char* kFolder = "genie/";
constexpr const char* kPrompt = "genie/prompt.json";
constexpr const char* kGenerator = "genie/text-generator.json";
constexpr const char* kDialog = "genie/genie_config.json";

// Of a dialog and of the nodes of a pipeline, wherever they stand.
constexpr std::string_view kKeys[] = {"QnnGenAiTransformer",
                                      "QnnGpu",
                                      "QnnHtp",
                                      "accumulator-size",
                                      "adapters",
                                      "alpha-tensor-name",
                                      "alpha-tensor-value",
                                      "allow-async-enqueue",
                                      "allow-async-init",
                                      "attn-factor",
                                      "audio-encoder",
                                      "backend",
                                      "binary",
                                      "bin-sections",
                                      "bos-token",
                                      "callback-name",
                                      "callback-type",
                                      "context",
                                      "cpu-mask",
                                      "ctx-bins",
                                      "ctx-size",
                                      "data-alignment-size",
                                      "datatype",
                                      "debug",
                                      "debug-dump-end",
                                      "debug-dump-start",
                                      "debug-outputs",
                                      "debug-path",
                                      "debug-qnn",
                                      "debug-specs",
                                      "debug-tensors",
                                      "dialog",
                                      "direct-io",
                                      "draft-n-vocab",
                                      "embed-size",
                                      "embedding",
                                      "embedding-datatype",
                                      "embedding-length",
                                      "enable-graph-switching",
                                      "enable-in-memory-kv-share",
                                      "engine",
                                      "eos-token",
                                      "eot-token",
                                      "execute-select-graphs",
                                      "extensions",
                                      "factor",
                                      "frequency-penalty",
                                      "graph-switching-lora-policy",
                                      "greedy",
                                      "height",
                                      "high-freq-factor",
                                      "image-encoder",
                                      "img-token",
                                      "keydiff",
                                      "kv-dim",
                                      "kv-quantization",
                                      "kv-update-method",
                                      "library",
                                      "lmhead-weight-dir",
                                      "load-select-graphs",
                                      "long-factor",
                                      "longcontext",
                                      "lora",
                                      "lora-version",
                                      "low-freq-factor",
                                      "lut",
                                      "lut-encoder",
                                      "lut-path",
                                      "max-num-tokens",
                                      "mmap-budget",
                                      "mode",
                                      "model",
                                      "model-bin",
                                      "mrope-section",
                                      "n-embd",
                                      "n-heads",
                                      "n-layer",
                                      "n-logits",
                                      "n-threads",
                                      "n-vocab",
                                      "name",
                                      "offset",
                                      "original-max-position-embeddings",
                                      "pad-token",
                                      "path",
                                      "penalize-last-n",
                                      "poll",
                                      "pos-id-dim",
                                      "pos-id-dims",
                                      "positional-encoding",
                                      "presence-penalty",
                                      "quant-param",
                                      "repetition-penalty",
                                      "reserved-tokens",
                                      "role",
                                      "rope-dim",
                                      "rope-scaling",
                                      "rope-theta",
                                      "rope-type",
                                      "sampler",
                                      "scale",
                                      "seed",
                                      "shared-engine",
                                      "shared-engines",
                                      "short-factor",
                                      "size",
                                      "skip-lora-validation",
                                      "sliding-window",
                                      "spatial-merge-size",
                                      "spill-fill-bufsize",
                                      "stop-sequence",
                                      "temp",
                                      "text-encoder",
                                      "text-generator",
                                      "time-step",
                                      "token-penalty",
                                      "tokenizer",
                                      "top-k",
                                      "top-p",
                                      "type",
                                      "use-gumbel",
                                      "use-mmap",
                                      "version",
                                      "vision-param",
                                      "weight-shared-lora",
                                      "width",
                                      "window-size"};

Tensors tensors_of_rows(const Json& rows) {
  Tensors tensors;
  for (const auto& [name, row] : rows.items())
    if (row.is_object()) tensors[name] = integers(row, "shape");
  return tensors;
}

// The contexts that a config names, each with what it says about itself where that can be read.
std::vector<const ContextInfo*> named_contexts(LayoutCheck& check, const std::string& config, const Json& engine, ContextFiles& contexts) {
  const Json binary = object(object(engine, "model"), "binary");
  const Json* names = json_find(binary, "ctx-bins");
  std::vector<const ContextInfo*> infos;
  if (names == nullptr || !names->is_array() || names->empty())
    check.miss("config", config, "names no context under ctx-bins");
  else
    for (const Json& name : *names)
      if (name.is_string()) infos.push_back(contexts.read(kFolder + name.get<std::string>()));
  return infos;
}

// Both decoders are there, with the tensors that metadata.json and the configs announce.
void check_decoders(LayoutCheck& check, const std::string& config, const Json& body, ContextFiles& contexts) {
  std::set<std::int64_t> new_tokens;
  const auto infos = named_contexts(check, config, object(body, "engine"), contexts);
  for (const ContextInfo* info : infos) {
    if (info == nullptr) continue;
    const std::string file = kFolder + Path(info->file).filename().string();
    std::optional<std::string> wrong;
    for (const ContextGraph& graph : info->graphs) {
      const Tensors inputs = tensors_of(graph.inputs), outputs = tensors_of(graph.outputs);
      if (!wrong) wrong = wrong_decoder(inputs, outputs, integer(object(body, "context"), "size"));
      const std::int64_t fresh = last_of(inputs, "inputs_embeds", 1);
      if (const auto number = new_tokens_of_name(file); !wrong && number && info->graphs.size() == 1 && *number != fresh)
        wrong = fmt::format("takes {} tokens at once, but its name says {}", fresh, *number);
      if (!wrong && last_of(inputs, "inputs_embeds") != integer(object(body, "embedding"), "size"))
        wrong = fmt::format("takes rows of {} numbers, but {} looks up rows of {}", last_of(inputs, "inputs_embeds"), config,
                            integer(object(body, "embedding"), "size"));
      new_tokens.insert(fresh);
    }
    if (wrong)
      check.miss("context", file, *wrong);
    else if (config == kGenerator)
      check.report.pass("context", file, "decoders with the tensors that the config announces");
  }
  if (std::ranges::find(infos, nullptr) != infos.end()) return;
  if (!new_tokens.contains(1))
    check.miss("config", config, "names no context with the decoder that takes one token, so none follows the first");
  if (new_tokens.size() < 2) check.miss("config", config, "names no context with the decoder that takes a prompt");
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
    const Tensors inputs = tensors_of_rows(object(graph, "inputs")), outputs = tensors_of_rows(object(graph, "outputs"));
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
std::optional<Json> check_generator(LayoutCheck& check, const std::string& file, const char* key, ContextFiles& contexts) {
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
  check_decoders(check, file, body, contexts);
  return body;
}

struct Edges {
  Tensors inputs, outputs;
};

// The tower makes of the picture of prompt.json the rows that the decoder takes.
void check_tower(LayoutCheck& check, const std::string& file, const Edges& edges, const Json& generator) {
  const auto prompt = json_of(check, kPrompt);
  const std::int64_t side = prompt ? integer(object(*prompt, "image"), "width") : -1,
                     width = integer(object(generator, "embedding"), "size");
  auto wrong = wrong_vision(edges.inputs, edges.outputs);
  if (const auto takes = last_of(edges.inputs, "pixel_values"); !wrong && side >= 0 && takes != side)
    wrong = fmt::format("takes pictures of {} pixels, but prompt.json says {}", takes, side);
  if (const auto gives = last_of(edges.outputs, "image_features"); !wrong && width >= 0 && gives != width)
    wrong = fmt::format("gives rows of {} numbers, but the decoder takes {}", gives, width);
  if (wrong) return check.miss("context", file, *wrong);
  check.report.pass("context", file, "the tower, with the picture of prompt.json and the rows of the decoder");
}

void check_image_encoder(LayoutCheck& check, const Json& generator, ContextFiles& contexts) {
  const std::string file = "genie/image-encoder.json";
  const auto config = json_of(check, file);
  if (!config) return;
  const Json body = object(*config, "image-encoder");
  if (body.contains("embedding")) check.miss("config", file, "an image encoder has no \"embedding\"; Genie refuses the whole config");
  if (text(object(body, "engine"), "mode") != "image") check.miss("config", file, "the mode of the engine must be \"image\"");
  for (const ContextInfo* info : named_contexts(check, file, object(body, "engine"), contexts)) {
    if (info == nullptr) continue;
    for (const ContextGraph& graph : info->graphs)
      check_tower(check, kFolder + Path(info->file).filename().string(), {tensors_of(graph.inputs), tensors_of(graph.outputs)}, generator);
  }
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

// Both configs of the decoder describe one decoder.
void check_same(LayoutCheck& check, const Json& generator, const Json& dialog) {
  for (const char* member : {"/context", "/embedding", "/engine/model", "/engine/backend/QnnHtp/kv-dim"}) {
    const Json::json_pointer pointer(member);
    const Json ours = generator.contains(pointer) ? generator.at(pointer) : Json(),
               theirs = dialog.contains(pointer) ? dialog.at(pointer) : Json();
    if (ours == theirs) continue;
    const Json changes = Json::diff(ours, theirs);
    const std::string at = std::string(member) + changes.front().value("path", "");
    check.miss(
        "config", kDialog,
        fmt::format("{} is another than in text-generator.json, though both are of one decoder", at.substr(at.find_last_of('/') + 1)));
  }
}

// Genie refuses a config with a key that it does not know.
void check_keys(LayoutCheck& check, const std::string& file, const Json& json) {
  for (const auto& [key, value] : json.items()) {
    if (json.is_object() && std::ranges::find(kKeys, key) == std::end(kKeys))
      check.miss("config", file, fmt::format("has the key \"{}\", which Genie does not know; it refuses the whole config", key));
    if (value.is_structured()) check_keys(check, file, value);
  }
}

void check_prompt(LayoutCheck& check) {
  const auto prompt = json_of(check, kPrompt);
  if (!prompt) return;
  for (const char* part : {"before_image", "after_image"})
    if (const Json* value = json_find(*prompt, part); value == nullptr || !value->is_string())
      check.miss("prompt", kPrompt, fmt::format("has no \"{}\", which the client puts around the picture", part));
  if (const std::string after = text(*prompt, "after_image"); !after.empty() && after.find("{question}") == std::string::npos)
    check.miss("prompt", kPrompt, "after_image has no {question}, so nothing would be asked");
}

void check_backend_chip(LayoutCheck& check, const std::optional<Chip>& chip) {
  const auto config = json_of(check, "genie/htp_backend_ext_config.json");
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

}  // namespace

void check_genie(LayoutCheck& check) {
  json_of(check, "genie/tokenizer_config.json");
  check_prompt(check);
  const ContextOrigin origin = context_origin(check);
  ContextFiles contexts(check, origin);
  const auto generator = check_generator(check, kGenerator, "text-generator", contexts);
  const auto dialog = check_generator(check, kDialog, "dialog", contexts);
  if (generator && dialog) check_same(check, *generator, *dialog);
  if (generator) {
    check_text_encoder(check, *generator);
    check_metadata(check, *generator);
  }
  check_image_encoder(check, generator.value_or(Json::object()), contexts);
  check_backend_chip(check, origin.chip);
  for (const char* file : {kGenerator, kDialog, "genie/image-encoder.json", "genie/text-encoder.json"})
    if (const auto config = json_of(check, file)) check_keys(check, file, *config);
}

}  // namespace fastvlm::clients
