#include "fastvlm/export/manifest_json.h"

#include "fastvlm/base/version.h"
#include "fastvlm/bundle/model_json.h"

namespace fastvlm {
namespace {

OrderedJson dims_json(const Dims& dims) {
  OrderedJson json = OrderedJson::array();
  for (const Dim& dim : dims) {
    if (dim.is_static())
      json.push_back(dim.value);
    else
      json.push_back(dim.symbol);
  }
  return json;
}

OrderedJson values_json(const Graph& graph, const std::vector<int>& values) {
  OrderedJson json = OrderedJson::array();
  for (int index : values) {
    const ValueInfo& value = graph.value(index);
    json.push_back({{"name", value.name}, {"type", name(value.dtype)}, {"shape", dims_json(value.dims)}});
  }
  return json;
}

OrderedJson operators_json(const Graph& graph) {
  std::map<std::string, int> counts;
  for (const Node& node : graph.nodes()) ++counts[node.domain.empty() ? node.op : node.domain + "::" + node.op];
  return counts;
}

void add_weights(const DataLayout& data, const std::string& folder, OrderedJson& rows) {
  for (const PlacedWeight& placed : data.weights()) {
    OrderedJson row = {{"name", placed.name},          {"file", folder + placed.place.file}, {"offset", placed.place.offset},
                       {"bytes", placed.place.bytes},  {"type", name(placed.dtype)},         {"shape", placed.weight->shape()},
                       {"from", placed.weight->from()}};
    if (!placed.weight->done().empty()) row["done"] = placed.weight->done();
    rows.push_back(std::move(row));
  }
}

OrderedJson preprocessing_json(const PreparedExport& p) {
  const std::int64_t side = p.image_size / kVisionStride;
  return {{"image_size", p.image_size}, {"mode", p.config.image_aspect_ratio == "pad" ? "pad" : "crop"},
          {"pad_color", {0, 0, 0}},     {"resample", "bicubic (Pillow, a = -0.5, antialiased, 8 bit)"},
          {"layout", "NCHW RGB"},       {"rescale", "divide by 255"},
          {"mean", {0.0, 0.0, 0.0}},    {"std", {1.0, 1.0, 1.0}},
          {"image_tokens", side * side}};
}

OrderedJson prompt_json(const PreparedExport& p) {
  OrderedJson json = {{"before_image", "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"},
                      {"after_image", "\n{question}<|im_end|>\n<|im_start|>assistant\n"},
                      {"splice", "the projected image vectors stand in the middle of the prompt, at the place of the image"}};
  if (p.config.eos_token_id) json["stop_token_id"] = *p.config.eos_token_id;
  if (p.config.image_token_id) json["image_token_id"] = *p.config.image_token_id;
  return json;
}

OrderedJson losses_json(const std::map<std::string, CastLosses>& losses) {
  OrderedJson rows = OrderedJson::array();
  for (const auto& [weight, loss] : losses)
    rows.push_back({{"weight", weight}, {"overflowed", loss.overflowed}, {"vanished", loss.vanished}, {"not_finite", loss.not_finite}});
  return rows;
}

// A number with a fixed count of characters, so that a plan knows the size of the manifest.
std::string fixed_number(double value) { return fmt::format("{:+.16e}", value); }

}  // namespace

OrderedJson graphs_json(const PreparedExport& p) {
  OrderedJson rows = OrderedJson::array();
  for (const PreparedGraph& graph : p.graphs) {
    OrderedJson row = {{"name", graph.name},
                       {"file", graph.file},
                       {"inputs", values_json(*graph.graph, graph.graph->inputs())},
                       {"outputs", values_json(*graph.graph, graph.graph->outputs())},
                       {"nodes", graph.graph->nodes().size()},
                       {"operators", operators_json(*graph.graph)}};
    if (graph.macs > 0) row["macs"] = graph.macs;
    row.update(graph.details);
    rows.push_back(std::move(row));
  }
  return rows;
}

OrderedJson manifest_json(const PreparedExport& p, const WrittenFacts& written) {
  OrderedJson weights = OrderedJson::array();
  add_weights(p.data, "", weights);
  add_weights(p.npu_data, "npu/", weights);
  return {{"format", kManifestFormat},
          {"format_version", kManifestVersion},
          {"versions", {{"fastvlm_npu", kVersion}, {"onnx_opset", 17}, {"onnx_ir", 8}}},
          {"dtype", name(p.options.dtype)},
          {"model", model_json(p.config, p.checkpoint->model_type())},
          {"preprocessing", preprocessing_json(p)},
          {"prompt", prompt_json(p)},
          {"graphs", graphs_json(p)},
          {"embedding_int8",
           {{"file", kInt8TableFile}, {"scale", fixed_number(written.int8.scale)}, {"sqnr_db", fixed_number(written.int8.sqnr_db)}}},
          {"findings", p.findings},
          {"losses", losses_json(written.losses)},
          {"weights", weights},
          {"files", to_json(written.files)}};
}

std::string manifest_text(const PreparedExport& p, const WrittenFacts& written) { return manifest_json(p, written).dump(1) + "\n"; }

std::uint64_t planned_manifest_bytes(const PreparedExport& p, const std::vector<PlannedFile>& files) {
  WrittenFacts facts;
  facts.int8 = {.scale = 1, .sqnr_db = 1};
  for (const PlannedFile& file : files) facts.files[file.name] = {.bytes = file.bytes, .sha256 = std::string(64, '0'), .made = file.made};
  return manifest_text(p, facts).size();
}

}  // namespace fastvlm
