#include "fastvlm/bundle/manifest_json.h"

namespace fastvlm {
namespace {

OrderedJson values_json(const std::vector<ValueEntry>& values) {
  OrderedJson json = OrderedJson::array();
  for (const ValueEntry& value : values) {
    OrderedJson row = {{"name", value.name}, {"type", name(value.type)}, {"shape", to_json(value.shape)}};
    if (value.encoding) row["scale"] = double{value.encoding->scale}, row["zero_point"] = value.encoding->zero_point;
    json.push_back(std::move(row));
  }
  return json;
}

// What a static graph was made for. The group tells the rest.
void add_extents(const GraphEntry& graph, OrderedJson& row) {
  if (!graph.group.empty()) row["group"] = graph.group;
  if (graph.extents.image_size > 0) row["image_size"] = graph.extents.image_size;
  if (!graph.extents.recipe.empty()) row["recipe"] = graph.extents.recipe;
  if (graph.weight_bits > 0) row["weight_bits"] = graph.weight_bits;
  if (graph.activations != Activations::kFloat) {
    const OnnxVersions versions = onnx_versions(graph.activations);
    row["activations"] = name(graph.activations), row["onnx_opset"] = versions.opset, row["onnx_ir"] = versions.ir;
  }
  if (graph.extents.new_tokens > 0) row["new_tokens"] = graph.extents.new_tokens, row["context"] = graph.extents.context;
}

OrderedJson losses_json(const std::vector<LossEntry>& losses) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [weight, loss] : losses)
    rows.push_back({{"weight", weight}, {"overflowed", loss.overflowed}, {"vanished", loss.vanished}, {"not_finite", loss.not_finite}});
  return rows;
}

// A number with a fixed count of characters, so that a plan knows the size of the manifest.
std::string fixed_number(double value) { return fmt::format("{:+.16e}", value); }

OrderedJson int8_json(const Int8TableEntry& table) {
  return {{"file", table.file}, {"scale", fixed_number(table.scale)}, {"sqnr_db", fixed_number(table.sqnr_db)}};
}

OrderedJson uint16_json(const std::vector<CodedTableEntry>& tables) {
  OrderedJson rows = OrderedJson::array();
  for (const CodedTableEntry& table : tables)
    rows.push_back({{"file", table.file},
                    {"scale", fixed_number(table.encoding.scale)},
                    {"zero_point", table.encoding.zero_point},
                    {"sqnr_db", fixed_number(table.sqnr_db)},
                    {"recipes", table.recipes}});
  return rows;
}

}  // namespace

OrderedJson to_json(const Dims& dims) {
  OrderedJson json = OrderedJson::array();
  for (const Dim& dim : dims) {
    if (dim.is_static())
      json.push_back(dim.value);
    else
      json.push_back(dim.symbol);
  }
  return json;
}

OrderedJson to_json(const Versions& versions) {
  OrderedJson json = {{"fastvlm_npu", versions.fastvlm_npu}, {"onnx_opset", versions.onnx_opset}, {"onnx_ir", versions.onnx_ir}};
  if (!versions.onnxruntime.empty()) json["onnxruntime"] = versions.onnxruntime;
  if (!versions.onnxruntime_qnn.empty()) json["onnxruntime_qnn"] = versions.onnxruntime_qnn;
  return json;
}

OrderedJson to_json(const ModelFacts& model) {
  const TextConfig& text = model.text;
  return {{"model_type", model.model_type},
          {"text",
           {{"hidden_size", text.hidden_size},
            {"intermediate_size", text.intermediate_size},
            {"num_hidden_layers", text.num_hidden_layers},
            {"num_attention_heads", text.num_attention_heads},
            {"num_key_value_heads", text.num_key_value_heads},
            {"head_dim", text.head_dim},
            {"vocab_size", text.vocab_size},
            {"rope_theta", text.rope_theta},
            {"rms_norm_eps", text.rms_norm_eps},
            {"max_position_embeddings", text.max_position_embeddings},
            {"tie_word_embeddings", text.tie_word_embeddings}}},
          {"vision",
           {{"depths", model.vision.depths},
            {"channels", model.vision.channels},
            {"hidden_size", model.vision.hidden_size},
            {"head_dim", model.vision.head_dim}}}};
}

OrderedJson to_json(const Preprocessing& p) {
  const PreprocessSettings& settings = p.settings;
  return {{"image_size", settings.size},
          {"mode", name(settings.mode)},
          {"pad_color", settings.pad_color},
          {"resize", settings.resize},
          {"resize_to", settings.resized_side()},
          {"resample", name(settings.filter)},
          {"resample_rule", "as Pillow: 8 bit, antialiased"},
          {"layout", p.layout},
          {"rescale_factor", settings.rescale_factor},
          {"mean", settings.mean},
          {"std", settings.std},
          {"image_tokens", p.image_tokens}};
}

OrderedJson to_json(const PromptContract& prompt) {
  OrderedJson json = {{"before_image", prompt.before_image}, {"after_image", prompt.after_image}, {"splice", prompt.splice}};
  if (!prompt.stop_token_ids.empty()) json["stop_token_id"] = prompt.stop_token_ids.front();
  if (prompt.stop_token_ids.size() > 1) json["stop_token_ids"] = prompt.stop_token_ids;
  if (prompt.image_token_id) json["image_token_id"] = *prompt.image_token_id;
  return json;
}

OrderedJson to_json(const GraphEntry& graph) {
  OrderedJson row = {
      {"name", graph.name},   {"file", graph.file},          {"inputs", values_json(graph.inputs)}, {"outputs", values_json(graph.outputs)},
      {"nodes", graph.nodes}, {"operators", graph.operators}};
  if (graph.macs > 0) row["macs"] = graph.macs;
  add_extents(graph, row);
  return row;
}

OrderedJson short_json(const GraphEntry& graph) {
  OrderedJson row = {{"name", graph.name}, {"file", graph.file}, {"nodes", graph.nodes}};
  if (graph.macs > 0) row["macs"] = graph.macs;
  add_extents(graph, row);
  return row;
}

OrderedJson to_json(const std::vector<RangeScale>& scales) {
  OrderedJson rows = OrderedJson::array();
  for (const RangeScale& scale : scales)
    rows.push_back({{"name", scale.name},
                    {"largest", scale.largest},
                    {"absmax", scale.absmax},
                    {"halvings", scale.halvings},
                    {"modules", scale.modules}});
  return rows;
}

OrderedJson to_json(const std::vector<GeluEntry>& gelus) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [name, form, why] : gelus) rows.push_back({{"name", name}, {"form", form}, {"why", why}});
  return rows;
}

OrderedJson to_json(const std::vector<WeightEntry>& weights) {
  OrderedJson rows = OrderedJson::array();
  for (const WeightEntry& weight : weights) {
    OrderedJson row = {{"name", weight.name},       {"file", weight.file},   {"offset", weight.offset}, {"bytes", weight.bytes},
                       {"type", name(weight.type)}, {"shape", weight.shape}, {"from", weight.from}};
    if (!weight.done.empty()) row["done"] = weight.done;
    rows.push_back(std::move(row));
  }
  return rows;
}

OrderedJson to_json(const std::vector<TargetEntry>& targets) {
  OrderedJson json = OrderedJson::object();
  for (const TargetEntry& target : targets) {
    OrderedJson& rows = json[target.chip] = OrderedJson::array();
    for (const ContextEntry& context : target.contexts) {
      OrderedJson graphs = OrderedJson::array();
      for (const auto& [name, wrapper] : context.graphs) graphs.push_back({{"name", name}, {"wrapper", wrapper}});
      rows.push_back({{"group", context.group}, {"binary", context.binary}, {"bytes", context.bytes}, {"graphs", graphs}});
    }
  }
  return json;
}

OrderedJson to_json(const std::map<std::string, ManifestFile>& files) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [name, file] : files)
    rows.push_back({{"name", name}, {"bytes", file.bytes}, {"sha256", file.sha256}, {"made", file.made}});
  return rows;
}

std::string manifest_text(const Manifest& m) {
  OrderedJson graphs = OrderedJson::array();
  for (const GraphEntry& graph : m.graphs) graphs.push_back(to_json(graph));
  OrderedJson json = {{"format", kManifestFormat},   {"format_version", kManifestVersion}, {"versions", to_json(m.versions)},
                      {"dtype", name(m.dtype)},      {"model", to_json(m.model)},          {"preprocessing", to_json(m.preprocessing)},
                      {"prompt", to_json(m.prompt)}, {"graphs", std::move(graphs)},        {"embedding_int8", int8_json(m.embedding_int8)},
                      {"findings", m.findings},      {"losses", losses_json(m.losses)},    {"weights", to_json(m.weights)}};
  if (!m.embedding_uint16.empty()) json["embedding_uint16"] = uint16_json(m.embedding_uint16);
  if (!m.range_scales.empty()) json["range_scales"] = to_json(m.range_scales);
  if (!m.gelus.empty()) json["gelus"] = to_json(m.gelus);
  if (!m.targets.empty()) json["targets"] = to_json(m.targets);
  for (const auto& [name, text] : m.strange) json[name] = OrderedJson::parse(text);
  // The list of files stays the last section.
  json["files"] = to_json(m.files);
  return json.dump(1) + "\n";
}

}  // namespace fastvlm
