#include "fastvlm/clients/genie_configs.h"

#include <fmt/format.h>

#include "fastvlm/targets/registry.h"

namespace fastvlm::clients {
namespace {

constexpr int kVersion = 1;  // of every object, whose keys Genie checks
constexpr const char* kTokenizer = "tokenizer.json";

OrderedJson tokenizer() { return {{"version", kVersion}, {"path", kTokenizer}}; }

OrderedJson table(const GenieFacts& f) {
  return {{"version", kVersion}, {"type", "lut"}, {"lut-path", f.table}, {"size", f.text.hidden_size}, {"datatype", "float32"}};
}

// Angles are computed by Genie, for half of each head. "bos-token" -1: nothing is put in front of a text.
OrderedJson generator_engine(const GenieFacts& f) {
  const OrderedJson htp = {{"version", kVersion}, {"spill-fill-bufsize", 0}, {"mmap-budget", 0},          {"use-mmap", false},
                           {"cpu-mask", "0xe0"},  {"poll", false},           {"kv-dim", f.text.head_dim}, {"allow-async-init", false}};
  return {{"version", kVersion},
          {"n-threads", 3},
          {"backend", {{"version", kVersion}, {"type", "QnnHtp"}, {"QnnHtp", htp}, {"extensions", "htp_backend_ext_config.json"}}},
          {"model",
           {{"version", kVersion},
            {"type", "binary"},
            {"binary", {{"version", kVersion}, {"ctx-bins", f.decoder_contexts}}},
            {"positional-encoding",
             {{"type", "rope"}, {"rope-dim", f.text.head_dim / 2}, {"rope-theta", static_cast<std::int64_t>(f.text.rope_theta)}}}}}};
}

OrderedJson generator_body(const GenieFacts& f) {
  return {{"version", kVersion},
          {"type", "basic"},
          {"context",
           {{"version", kVersion},
            {"size", f.context},
            {"n-vocab", f.text.vocab_size},
            {"bos-token", -1},
            {"eos-token", f.end_tokens},
            {"pad-token", f.pad_token}}},
          {"embedding", table(f)},
          {"tokenizer", tokenizer()},
          {"sampler", {{"version", kVersion}, {"seed", 42}, {"temp", 1.0}, {"top-k", 1}, {"top-p", 1.0}}},
          {"engine", generator_engine(f)}};
}

OrderedJson tensors(const std::vector<ValueEntry>& values) {
  OrderedJson rows = OrderedJson::object();
  for (const ValueEntry& value : values) {
    OrderedJson shape = OrderedJson::array();
    for (const Dim& dim : value.shape) shape.push_back(dim.value);
    rows[value.name] = {{"shape", shape}};
  }
  return rows;
}

}  // namespace

OrderedJson genie_text_encoder(const GenieFacts& f) {
  OrderedJson lut = table(f);
  lut.erase("type");
  return {{"text-encoder", {{"version", kVersion}, {"type", "lut"}, {"tokenizer", tokenizer()}, {"lut", lut}}}};
}

OrderedJson genie_image_encoder(const GenieFacts& f) {
  const OrderedJson htp = {{"version", kVersion}, {"spill-fill-bufsize", 0}, {"use-mmap", false}, {"allow-async-init", false}};
  return {{"image-encoder",
           {{"version", kVersion},
            {"engine",
             {{"version", kVersion},
              {"mode", "image"},
              {"backend", {{"version", kVersion}, {"type", "QnnHtp"}, {"QnnHtp", htp}, {"extensions", "htp_backend_ext_config.json"}}},
              {"model",
               {{"version", kVersion}, {"type", "binary"}, {"binary", {{"version", kVersion}, {"ctx-bins", {f.vision_context}}}}}}}}}}};
}

OrderedJson genie_text_generator(const GenieFacts& f) {
  OrderedJson body = generator_body(f);
  // Room for a whole context of embeddings, so that it need not grow.
  body["accumulator-size"] = f.context * f.text.hidden_size * static_cast<std::int64_t>(sizeof(float));
  return {{"text-generator", body}};
}

OrderedJson genie_dialog(const GenieFacts& f) { return {{"dialog", generator_body(f)}}; }

OrderedJson geniex_metadata(const std::vector<GraphEntry>& decoders) {
  OrderedJson files = OrderedJson::object();
  for (const GraphEntry& graph : decoders) {
    const GraphExtents& e = graph.extents;
    const std::string key =
        fmt::format("{}_ar{}_cl{}_{}_of_{}", e.new_tokens > 1 ? "prompt" : "token", e.new_tokens, e.context, e.part, e.parts);
    files[key] = {{"inputs", tensors(graph.inputs)}, {"outputs", tensors(graph.outputs)}};
  }
  // The family is chosen by the beginning of the id; this one is text only.
  return {{"model_id", "qwen2_5_fastvlm"}, {"model_files", files}};
}

OrderedJson htp_backend_config(const Chip& chip, bool share_weights) {
  OrderedJson device = OrderedJson::object();
  if (const auto number = number_of(chip, "soc_model")) device["soc_model"] = *number;
  if (const auto number = number_of(chip, "htp_arch")) device["dsp_arch"] = fmt::format("v{}", *number);
  device["cores"] = {{{"core_id", 0}, {"perf_profile", "burst"}, {"rpc_control_latency", 100}}};
  OrderedJson json = {{"devices", {device}}};
  if (share_weights) json["context"] = {{"weight_sharing_enabled", true}};
  return json;
}

}  // namespace fastvlm::clients
