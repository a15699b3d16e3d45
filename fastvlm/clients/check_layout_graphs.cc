#include "fastvlm/clients/check_layout_graphs.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/clients/layout.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/validate.h"

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

// The extent that many axes from behind, -1 for any.
std::int64_t extent_from_behind(const OnnxValue& value, std::size_t axis) {
  const auto& dims = value.type.dims;
  return axis < dims.size() && dims[dims.size() - 1 - axis].is_static() ? dims[dims.size() - 1 - axis].value : -1;
}

// Of the pictures that a graph takes; -1: none, or any.
std::int64_t picture_side(const OnnxModel& model) {
  return model.inputs.empty() || model.inputs[0].name != "pixel_values" ? -1 : extent_from_behind(model.inputs[0], 0);
}

std::optional<std::string> wrong_tokens(const OnnxModel& model, std::int64_t image_tokens) {
  const std::int64_t side = picture_side(model);
  if (side < 0) return {};
  if (const std::int64_t height = extent_from_behind(model.inputs[0], 1); height != side)
    return fmt::format("takes pictures of {} by {} pixels, but the model knows squares only", height, side);
  const std::int64_t tokens = (side / kVisionStride) * (side / kVisionStride);
  if (image_tokens >= 0 && tokens != image_tokens)
    return fmt::format("makes {} image tokens of a picture, but the config says {}", tokens, image_tokens);
  const bool by_picture = model.outputs[0].type.dims.size() == 3;
  if (const std::int64_t rows = extent_from_behind(model.outputs[0], 1); by_picture && rows >= 0 && rows != tokens)
    return fmt::format("gives {} image tokens, but pictures of {} pixels have {}", rows, side, tokens);
  return {};
}

std::optional<std::string> wrong_version(const OnnxModel& model, const ClientRuntime& runtime) {
  if (model.opset() > runtime.opset)
    return fmt::format("is of opset {}, but the ONNX Runtime of {} opens {} at most", model.opset(), runtime.name, runtime.opset);
  if (model.ir_version > runtime.ir_version)
    return fmt::format("is of IR version {}, but the ONNX Runtime of {} opens {} at most", model.ir_version, runtime.name,
                       runtime.ir_version);
  if (const auto unknown = unknown_operator(model))
    return fmt::format("has an operator \"{}\", which is not in ONNX, so no runtime opens it", *unknown);
  return {};
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

void LayoutCheck::miss(const std::string& what, const std::string& subject, const std::string& sentence) {
  const auto says = [&](const VerifyRow& row) { return row.subject == subject && row.sentence == sentence; };
  if (std::ranges::none_of(report.rows, says)) report.miss(what, subject, sentence);
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

GraphFacts check_graph(LayoutCheck& check, const std::string& file, const Signature& wanted, const ClientRuntime& runtime) {
  const Path path = check.folder / file;
  const bool first = check.seen.insert(file).second;
  const auto model = read_onnx(path, {.infer_shapes = false});
  std::optional<std::string> wrong;
  if (!model.ok()) wrong = model.error().message;
  if (!wrong) wrong = misfit("input", model->inputs, wanted.inputs);
  if (!wrong) wrong = misfit("output", model->outputs, wanted.outputs);
  if (!wrong) wrong = wrong_tokens(*model, wanted.image_tokens);
  if (!wrong) wrong = wrong_version(*model, runtime);
  if (!wrong) wrong = wrong_data(*model, path);
  if (wrong) check.miss("graph", file, *wrong);
  if (!wrong && first) check.report.pass("graph", file, "inputs, outputs and external data are those that the client binds");
  if (!model.ok()) return {};
  GraphFacts facts{.picture_side = picture_side(*model)};
  for (const OnnxInitializer& tensor : model->initializers)
    if (tensor.external) facts.data_files.insert(tensor.external->location);
  return facts;
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
