#include <algorithm>
#include <array>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/onnx/validate.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kStride = 64;  // pixels of one image token along a side

// What the plain graphs are made of: opset 17, any ONNX Runtime.
constexpr std::array kPlainOperators = {"Add",
                                        "Cast",
                                        "Concat",
                                        "Conv",
                                        "Cos",
                                        "Div",
                                        "Erf",
                                        "Gather",
                                        "GlobalAveragePool",
                                        "Greater",
                                        "LayerNormalization",
                                        "MatMul",
                                        "Mul",
                                        "Range",
                                        "ReduceMean",
                                        "Relu",
                                        "Reshape",
                                        "Shape",
                                        "Sigmoid",
                                        "Sin",
                                        "Slice",
                                        "Softmax",
                                        "Split",
                                        "Sqrt",
                                        "Squeeze",
                                        "Sub",
                                        "Transpose",
                                        "Unsqueeze",
                                        "Where"};
std::vector<OperatorId> operators_of(const GraphEntry& graph, const Target& target) {
  std::vector<OperatorId> list;
  if (graph.npu())
    for (const std::string_view op : target.operators) {
      const std::size_t end = op.find("::");
      if (end == std::string_view::npos)
        list.push_back({std::string(op), ""});
      else
        list.push_back({std::string(op.substr(end + 2)), std::string(op.substr(0, end))});
    }
  else
    for (const char* op : kPlainOperators) list.push_back({op, ""});
  return list;
}

Status check_form(const OutputFolder& folder, const GraphEntry& graph, const Target& target, VerifyReport& report) {
  const OnnxVersions versions = onnx_versions(graph.activations);
  auto findings = validate_onnx(folder.path / graph.file, {.allowed_operators = operators_of(graph, target),
                                                           .opset = versions.opset,
                                                           .ir_version = versions.ir,
                                                           .forbid_symbolic_dims = graph.npu(),
                                                           .require_aligned_data = true,
                                                           .follow_links = true});
  if (!findings.ok()) return std::move(findings).error();
  for (const Finding& finding : *findings)
    if (finding.severity == Severity::kError) report.miss("graph", graph.file, finding.message);
  if (!has_errors(*findings))
    report.pass("graph", graph.file,
                graph.npu() ? "well formed, static, operators of the NPU's list" : "well formed, opset 17, operators of the list");
  return {};
}

// The last extent of a value, 0 when it is not a fixed number.
std::int64_t last_extent(const OnnxType& type) {
  return type.has_shape && !type.dims.empty() && type.dims.back().is_static() ? type.dims.back().value : 0;
}
std::int64_t extent_of(const OnnxModel& model, const std::string& value, std::size_t axis) {
  const OnnxType* type = model.type_of(value);
  if (type == nullptr || !type->has_shape || axis >= type->dims.size() || !type->dims[axis].is_static()) return 0;
  return type->dims[axis].value;
}

struct Width {
  const char* what;
  std::int64_t found;
  std::int64_t expected;
  const char* expected_name;
};

void check_widths(const std::string& file, std::initializer_list<Width> widths, VerifyReport& report) {
  bool good = true;
  for (const Width& width : widths) {
    if (width.found == width.expected) continue;
    good = false;
    report.miss("graph", file,
                fmt::format("projection mismatch: {} is {}, but {} is {}", width.what, width.found, width.expected_name, width.expected));
  }
  if (good) report.pass("graph", file, "widths, token count and vocabulary agree with the manifest");
}

std::int64_t tokens_of(std::int64_t image_size) { return (image_size / kStride) * (image_size / kStride); }

std::int64_t projected_width(const OnnxModel& model) {
  auto projected = module_output(model, "model.multi_modal_projector.linear_2");
  const OnnxType* type = projected ? model.type_of(*projected) : nullptr;
  return type == nullptr ? 0 : last_extent(*type);
}

Status check_extents(const OutputFolder& f, const GraphEntry& graph, VerifyReport& report) {
  TRY_ASSIGN(OnnxModel model, read_onnx(f.path / graph.file));
  if (graph.role == GraphRole::kVisionEncoder) {
    check_widths(graph.file,
                 {{"the tower's width", extent_of(model, "image_features", 2), f.vision_width(), "the manifest's"},
                  {"the number of image tokens", extent_of(model, "image_features", 1), tokens_of(f.image_size()), "(image size / 64)^2"},
                  {"the manifest's number of image tokens", f.image_tokens(), tokens_of(f.image_size()), "(image size / 64)^2"},
                  {"the picture's side", extent_of(model, "pixel_values", 3), f.image_size(), "the manifest's image size"}},
                 report);
  } else if (graph.role == GraphRole::kDecoderWithProjection) {
    check_widths(graph.file,
                 {{"the width of vision_features", extent_of(model, "vision_features", 2), f.vision_width(), "the tower's width"},
                  {"the projector's output width", projected_width(model), f.text().hidden_size, "the decoder's hidden size"},
                  {"the number of logits", extent_of(model, "logits", 2), f.text().vocab_size, "the vocabulary"}},
                 report);
  } else if (graph.role == GraphRole::kTokenEmbedder) {
    const std::int64_t rows = model.initializers.empty() || model.initializers[0].shape.empty() ? 0 : model.initializers[0].shape[0];
    check_widths(graph.file,
                 {{"the table's rows", rows, f.text().vocab_size, "the vocabulary"},
                  {"the table's width", extent_of(model, "embeddings", 2), f.text().hidden_size, "the decoder's hidden size"}},
                 report);
  } else if (graph.role == GraphRole::kVision) {
    check_widths(
        graph.file,
        {{"the projector's output width", extent_of(model, "image_features", 2), f.text().hidden_size, "the decoder's hidden size"},
         {"the number of image tokens", extent_of(model, "image_features", 1), tokens_of(graph.extents.image_size), "(image size / 64)^2"}},
        report);
  } else if (model.type_of("logits") != nullptr) {
    check_widths(graph.file, {{"the number of logits", extent_of(model, "logits", 2), f.text().vocab_size, "the vocabulary"}}, report);
  }
  return {};
}

}  // namespace

std::string decoder_subject(const GraphEntry& graph) { return npu_file(group_name(GraphRole::kDecoder, {.recipe = graph.extents.recipe})); }

Status check_files(const OutputFolder& folder, VerifyReport& report) {
  TRY_ASSIGN(auto problems, check_manifest_files(folder.path, folder.manifest, /*hashes=*/true));
  for (const FileProblem& problem : problems) report.miss("files", problem.file, problem.problem);
  if (problems.empty())
    report.pass("files", kManifestFile, fmt::format("{} files have the sizes and hashes of the manifest", folder.manifest.files.size()));
  return {};
}

Status check_graphs(const OutputFolder& folder, const Target& target, VerifyReport& report) {
  for (const GraphEntry& graph : folder.manifest.graphs) {
    Status status = check_form(folder, graph, target, report);
    if (!status.ok()) TRY(report.fail("graph", graph.file, std::move(status).error()));
    status = check_extents(folder, graph, report);
    if (!status.ok()) TRY(report.fail("graph", graph.file, std::move(status).error()));
  }
  return {};
}

}  // namespace fastvlm
