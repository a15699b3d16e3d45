#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr Gate kSamePictureGate = {.max_relative = 1e-5};
constexpr std::int64_t kIdsAtOnce = 8192;

const Gate& gate_of(const OutputFolder& folder) { return folder.half() ? kHalfGate : kSamePictureGate; }

// A graph that takes one batch size or length only is the classic trouble with dynamic axes; say which.
Error at_extents(Error error, const std::string& extents) { return std::move(error).within("fails with " + extents); }

Status run_encoder(const CheckContext& c) {
  const OutputFolder& f = c.folder;
  const GraphEntry& graph = f.plain(GraphRole::kVisionEncoder);
  TRY_ASSIGN(auto runner, c.open(f.path / graph.file));
  const Tensor pictures = random_floats({2, 3, f.image_size(), f.image_size()}, 0, 1, 7);
  auto both = run_for(*runner, {{"pixel_values", pictures}}, "image_features");
  if (!both.ok()) return at_extents(std::move(both).error(), "a batch of 2");
  auto first = run_for(*runner, {{"pixel_values", slice_rows(pictures, 0, 1)}}, "image_features");
  if (!first.ok()) return at_extents(std::move(first).error(), "a batch of 1");
  const Shape expected = {2, f.image_tokens(), f.vision_width()};
  if (both->shape != expected) {
    c.report.miss("run", graph.file, fmt::format("gives {}, expected {}", to_string(both->shape), to_string(expected)));
    return {};
  }
  c.report.compare({"run", graph.file, "a picture alone and in a batch of 2", gate_of(f)}, slice_rows(*both, 0, 1), *first);
  return {};
}

Status run_decoder(const CheckContext& c) {
  const OutputFolder& f = c.folder;
  const GraphEntry& graph = f.plain(GraphRole::kDecoderWithProjection);
  TRY_ASSIGN(auto runner, c.open(f.path / graph.file));
  const Tensor vision = random_floats({2, 3, f.vision_width()}, -1, 1, 8), ids = random_ids({2, 5}, f.text().vocab_size, 9);
  auto both = run_for(*runner, {{"vision_features", vision}, {"input_ids", ids}}, "logits");
  if (!both.ok()) return at_extents(std::move(both).error(), "a batch of 2, 3 vision and 5 text tokens");
  // Causal: what comes later changes nothing before. The shorter prompt has other extents on every axis.
  auto first = run_for(
      *runner, {{"vision_features", slice_rows(vision, 0, 1)}, {"input_ids", reshaped(slice_rows(reshaped(ids, {10}), 0, 2), {1, 2})}},
      "logits");
  if (!first.ok()) return at_extents(std::move(first).error(), "a batch of 1, 3 vision and 2 text tokens");
  if (both->shape != Shape{2, 8, f.text().vocab_size} || first->shape != Shape{1, 5, f.text().vocab_size}) {
    c.report.miss("run", graph.file,
                  fmt::format("gives {} and {} logits, expected [2, 8, {}] and [1, 5, {}]", to_string(both->shape), to_string(first->shape),
                              f.text().vocab_size, f.text().vocab_size));
    return {};
  }
  const Tensor prefix = slice_rows(reshaped(*both, {16, f.text().vocab_size}), 0, 5);
  c.report.compare({"run", graph.file, "a prompt alone and as the begin of a longer one in a batch of 2", gate_of(f)}, prefix,
                   reshaped(*first, {5, f.text().vocab_size}));
  return {};
}

Status run_embedder(const CheckContext& c) {
  const OutputFolder& f = c.folder;
  const GraphEntry& graph = f.plain(GraphRole::kTokenEmbedder);
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(f));
  TRY_ASSIGN(auto runner, c.open(f.path / graph.file));
  for (std::int64_t begin = 0; begin < f.text().vocab_size; begin += kIdsAtOnce) {
    std::vector<std::int64_t> ids;
    for (std::int64_t id = begin; id < std::min(begin + kIdsAtOnce, f.text().vocab_size); ++id) ids.push_back(id);
    const auto count = static_cast<std::int64_t>(ids.size());
    TRY_ASSIGN(Tensor rows, run_for(*runner, {{"input_ids", Tensor::of_int64({1, count}, ids)}}, "embeddings"));
    TRY_ASSIGN(Tensor expected, table.gather(ids));
    const Gate exact = {.max_relative = f.half() ? 1e-3 : 0.0};
    VerifyReport piece;
    if (piece.compare({"run", graph.file, "embeddings and rows of the table", exact},
                      reshaped(std::move(rows), {count, f.text().hidden_size}), expected))
      continue;
    c.report.rows.push_back(std::move(piece.rows.front()));
    return {};
  }
  c.report.pass("run", graph.file, fmt::format("all {} rows of the table are the embedder's output", f.text().vocab_size));
  return {};
}

}  // namespace

Result<std::string> projected_value(const OnnxModel& model, const Path& path) {
  auto value = module_output(model, "model.multi_modal_projector.linear_2");
  if (!value) return bad_input("{}: no node belongs to the projector (model.multi_modal_projector.linear_2)", path.string());
  return *std::move(value);
}

Result<std::unique_ptr<Runner>> open_plain_decoder_with_projected(const CheckContext& c, std::string& projected) {
  const Path path = c.folder.path / c.folder.plain(GraphRole::kDecoderWithProjection).file;
  TRY_ASSIGN(const OnnxModel model, read_onnx(path, {.infer_shapes = false}));
  TRY_ASSIGN(projected, projected_value(model, path));
  return open_probed(path, std::span(&projected, 1), c.open);
}

Result<PlainDecoding> run_plain_decoder(Runner& runner, const std::string& projected, const Tensor& vision_features,
                                        const Tensor& input_ids) {
  const std::string wanted[] = {projected, "logits"};
  TRY_ASSIGN(auto outputs, run_converted(runner, {{"vision_features", vision_features}, {"input_ids", input_ids}}, wanted));
  return PlainDecoding{.image_features = std::move(outputs[0].tensor), .logits = std::move(outputs[1].tensor)};
}

Status check_runs(const CheckContext& context) {
  struct Row {
    GraphRole graph;
    Status (*run)(const CheckContext&);
  };
  for (const Row& row : {Row{GraphRole::kVisionEncoder, run_encoder}, Row{GraphRole::kDecoderWithProjection, run_decoder},
                         Row{GraphRole::kTokenEmbedder, run_embedder}})
    if (Status status = row.run(context); !status.ok())
      TRY(context.report.fail("run", context.folder.plain(row.graph).file, std::move(status).error()));
  return {};
}

}  // namespace fastvlm
