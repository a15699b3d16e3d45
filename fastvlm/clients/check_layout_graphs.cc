#include "fastvlm/clients/check_layout_graphs.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/clients/layout.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/model_index.h"

namespace fastvlm::clients {
namespace {

constexpr std::int64_t kMaxLayers = 1000;

std::string extents_text(const OnnxType& type) {
  std::string all;
  for (const Dim& dim : type.dims) all += (all.empty() ? "" : ", ") + (dim.is_static() ? std::to_string(dim.value) : dim.symbol);
  return "[" + all + "]";
}

std::string wanted_text(const std::vector<std::int64_t>& extents) {
  std::string all;
  for (std::int64_t extent : extents) all += (all.empty() ? "" : ", ") + (extent < 0 ? std::string("any") : std::to_string(extent));
  return "[" + all + "]";
}

bool fits(const OnnxType& type, const std::vector<std::int64_t>& extents) {
  if (type.dims.size() != extents.size()) return false;
  for (std::size_t i = 0; i < extents.size(); ++i)
    if (extents[i] >= 0 && type.dims[i].is_static() && type.dims[i].value != extents[i]) return false;
  return true;
}

// What is wrong with the first value that is not as wanted.
std::optional<std::string> misfit(const char* what, const std::vector<OnnxValue>& values, const std::vector<SignatureValue>& wanted) {
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const SignatureValue& want = wanted[i];
    if (i >= values.size()) return fmt::format("{} \"{}\" is missing", what, want.name);
    const OnnxValue& value = values[i];
    if (value.name != want.name)
      return fmt::format("{} {} is \"{}\" and must be \"{}\": clients bind by this order", what, i, value.name, want.name);
    if (value.type.dtype != want.dtype) return fmt::format("{} \"{}\" must be {}", what, want.name, name(want.dtype));
    if (!fits(value.type, want.extents))
      return fmt::format("{} \"{}\" has the shape {}, but by the config it is {}", what, want.name, extents_text(value.type),
                         wanted_text(want.extents));
  }
  if (values.size() > wanted.size()) return fmt::format("{} \"{}\" is one more than clients feed", what, values[wanted.size()].name);
  return {};
}

std::optional<std::string> wrong_tokens(const OnnxModel& model, std::int64_t image_tokens) {
  if (image_tokens < 0 || model.inputs.empty() || model.inputs[0].type.dims.empty() || !model.inputs[0].type.dims.back().is_static())
    return {};
  const std::int64_t side = model.inputs[0].type.dims.back().value / kVisionStride;
  if (side * side == image_tokens) return {};
  return fmt::format("makes {} image tokens of a picture, but the config says {}", side * side, image_tokens);
}

std::optional<std::string> wrong_data(const OnnxModel& model, const Path& graph) {
  const auto findings = check_external_data(model, find_data_files(model, graph.parent_path(), /*follow_links=*/true));
  const auto error = std::ranges::find(findings, Severity::kError, &Finding::severity);
  if (error == findings.end()) return {};
  return error->message;
}

}  // namespace

bool LayoutCheck::report_has(const std::string& subject) const {
  return std::ranges::any_of(report.rows, [&](const VerifyRow& row) { return row.subject == subject && row.outcome == Outcome::kMissed; });
}

Signature signature_of(const std::string& file, const DecoderSizes& s) {
  const auto is = [&](const char* part) { return file.find(part) != std::string::npos; };
  const SignatureValue ids{.name = "input_ids", .dtype = Dtype::kInt64, .extents = {-1, -1}};
  const SignatureValue embeds{.name = "inputs_embeds", .extents = {-1, -1, s.hidden_size}};
  const SignatureValue flat{.name = "image_features", .extents = {-1, s.hidden_size}};
  if (is("genai_vision_encoder"))
    return {.inputs = {{.name = "pixel_values", .extents = {1, -1, 3, -1, -1}}}, .outputs = {flat}, .image_tokens = s.image_tokens};
  if (is("vision_encoder"))
    return {.inputs = {{.name = "pixel_values", .extents = {-1, 3, -1, -1}}},
            .outputs = {{.name = "image_features", .extents = {-1, -1, s.hidden_size}}}};
  if (is("genai_embedding")) return {.inputs = {ids, flat}, .outputs = {embeds}};
  if (is("embed_tokens")) return {.inputs = {ids}, .outputs = {embeds}};
  Signature decoder{.inputs = {embeds,
                               {.name = "attention_mask", .dtype = Dtype::kInt64, .extents = {-1, -1}},
                               {.name = "position_ids", .dtype = Dtype::kInt64, .extents = {-1, -1}}},
                    .outputs = {{.name = "logits", .extents = {-1, -1, s.vocabulary}}}};
  for (std::int64_t i = 0; i < std::min(s.layers, kMaxLayers); ++i)
    for (const char* part : {"key", "value"}) {
      const std::vector<std::int64_t> slots = {-1, s.key_value_heads, -1, s.head_size};
      decoder.inputs.push_back({.name = fmt::format("past_key_values.{}.{}", i, part), .extents = slots});
      decoder.outputs.push_back({.name = fmt::format("present.{}.{}", i, part), .extents = slots});
    }
  return decoder;
}

void check_graph(LayoutCheck& check, const std::string& file, const Signature& wanted) {
  const Path path = check.folder / file;
  const auto model = read_onnx(path, {.infer_shapes = false});
  if (!model.ok()) return check.report.miss("graph", file, model.error().message);
  std::optional<std::string> wrong = misfit("input", model->inputs, wanted.inputs);
  if (!wrong) wrong = misfit("output", model->outputs, wanted.outputs);
  if (!wrong) wrong = wrong_tokens(*model, wanted.image_tokens);
  if (!wrong) wrong = wrong_data(*model, path);
  if (wrong) {
    if (!check.seen.contains(file)) check.report.miss("graph", file, *wrong);
  } else if (!check.seen.contains(file)) {
    check.report.pass("graph", file, "inputs, outputs and external data are those that the client binds");
  }
  check.seen.insert(file);
}

std::set<std::int64_t> compared_ids(const Path& graph) {
  std::set<std::int64_t> ids;
  const auto model = read_onnx(graph, {.infer_shapes = false});
  if (!model.ok()) return ids;
  const OnnxIndex index(*model);
  for (const OnnxNode& node : model->nodes)
    if (node.op == "Equal")
      for (const std::string& input : node.inputs)
        if (const auto id = index.scalar(input)) ids.insert(static_cast<std::int64_t>(*id));
  return ids;
}

}  // namespace fastvlm::clients
