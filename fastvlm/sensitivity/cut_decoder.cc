#include "fastvlm/sensitivity/cut_decoder.h"

#include <algorithm>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/run_graph.h"

namespace fastvlm {
namespace {

constexpr const char* kLogits = "logits";

Tensor input_of(const TensorInfo& info, std::span<const float> hidden, double rope_theta) {
  if (info.name == kInputsEmbeds || info.name == kHiddenStatesIn) return Tensor::of_floats(info.shape, hidden);
  if (info.name == "attention_mask") return attention_mask({.new_tokens = info.shape[2], .past = info.shape[3] - info.shape[2]});
  const bool cos = info.name == "position_ids_cos";
  if (!cos && info.name != "position_ids_sin") return Tensor::zeros(Dtype::kFloat32, info.shape);  // of the cache
  const ops::RotaryTables tables = ops::rotary_tables(0, info.shape[2], 2 * info.shape[3], rope_theta);
  return Tensor::of_floats(info.shape, cos ? tables.cos : tables.sin);
}

}  // namespace

std::optional<Path> CutDecoder::find(const std::string& recipe, std::int64_t part) const {
  const std::int64_t rows = part == layers() ? kHeadRows : length_;
  for (const GraphEntry& graph : folder_->manifest.graphs) {
    const GraphExtents& e = graph.extents;
    if (graph.role == GraphRole::kDecoder && e.recipe == recipe && e.part == part + 1 && e.parts == layers() + 1 && e.new_tokens == rows)
      return folder_->path / graph.file;
  }
  return std::nullopt;
}

Result<std::vector<float>> CutDecoder::run_layer(Runner& layer, std::span<const float> hidden) const {
  TRY(check_interrupt());
  std::vector<NamedTensor> inputs;
  for (const TensorInfo& info : layer.inputs()) inputs.push_back({info.name, input_of(info, hidden, folder_->text().rope_theta)});
  TRY_ASSIGN(const Tensor out, run_for(layer, std::move(inputs), kHiddenStatesOut));
  return std::vector<float>(out.floats().begin(), out.floats().end());
}

Result<std::vector<float>> CutDecoder::run_head(Runner& head, std::span<const float> rows) const {
  const auto piece = static_cast<std::size_t>(kHeadRows * width_), width = static_cast<std::size_t>(width_);
  std::vector<float> logits;
  for (std::size_t begin = 0; begin < rows.size(); begin += piece) {
    TRY(check_interrupt());
    const std::size_t given = std::min(piece, rows.size() - begin);
    std::vector<float> padded(piece);
    std::ranges::copy(rows.subspan(begin, given), padded.begin());
    TRY_ASSIGN(const Tensor out, run_for(head, {{kHiddenStatesIn, Tensor::of_floats({1, kHeadRows, width_}, padded)}}, kLogits));
    const std::span<const float> kept = out.floats().first(given / width * static_cast<std::size_t>(out.shape.back()));
    logits.insert(logits.end(), kept.begin(), kept.end());
  }
  return logits;
}

}  // namespace fastvlm
