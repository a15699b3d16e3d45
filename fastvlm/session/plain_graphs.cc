#include "fastvlm/session/plain_graphs.h"

#include <algorithm>
#include <utility>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/cached_decoder.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm {
namespace {

constexpr const char* kTowerOutput = "image_features";
constexpr const char* kProjectorInput = "vision_features";

// The tower and then the projector.
class PictureRunner final : public Runner {
 public:
  PictureRunner(std::unique_ptr<Runner> tower, std::unique_ptr<Runner> projector)
      : tower_(std::move(tower)), projector_(std::move(projector)) {}
  const std::vector<TensorInfo>& inputs() const override { return tower_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return projector_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    const std::string features[] = {kTowerOutput};
    TRY_ASSIGN(const std::vector<NamedTensor> seen, tower_->run(inputs, features));
    const NamedTensorView input{.name = kProjectorInput, .view = seen.front().tensor.view()};
    return projector_->run({&input, 1}, wanted);
  }

 private:
  std::unique_ptr<Runner> tower_, projector_;
};

Path file_of(const OutputFolder& folder, GraphRole role) { return folder.path / folder.plain(role).file; }

CachedDecoderExtents extents_of(const OutputFolder& folder) {
  const TextConfig& text = folder.text();
  return {.hidden_size = text.hidden_size,
          .key_value_heads = text.num_key_value_heads,
          .head_dim = text.head_dim,
          .vocab_size = text.vocab_size,
          .dtype = folder.half() ? Dtype::kFloat16 : Dtype::kFloat32};
}

}  // namespace

bool has_plain_graphs(const OutputFolder& folder) {
  return std::ranges::all_of(std::initializer_list<GraphRole>{GraphRole::kVisionEncoder, GraphRole::kDecoderWithProjection},
                             [&](GraphRole role) { return folder.manifest.find(role) != nullptr; });
}

Result<std::unique_ptr<Runner>> open_plain_pictures(const OutputFolder& folder, std::int64_t size, const OpenGraph& open) {
  const Path encoder = file_of(folder, GraphRole::kVisionEncoder), decoder = file_of(folder, GraphRole::kDecoderWithProjection);
  TRY_ASSIGN(const std::string projector, projector_of(decoder, extents_of(folder)));
  TRY_ASSIGN(auto behind, open_changed(decoder, projector, open));
  TRY_ASSIGN(auto tower, size == folder.image_size() ? open(encoder) : open_at_picture_size(encoder, size, open));
  return std::unique_ptr<Runner>(std::make_unique<PictureRunner>(std::move(tower), std::move(behind)));
}

Result<DecoderSession> open_plain_decoder(const OutputFolder& folder, const OpenGraph& open) {
  const Path decoder = file_of(folder, GraphRole::kDecoderWithProjection);
  TRY_ASSIGN(const std::string bytes, with_cache(decoder, extents_of(folder)));
  std::vector<DecoderGraph> graphs(1);
  graphs.front() = {.name = decoder.stem().string(), .new_tokens = kAnyTokens};
  TRY_ASSIGN(graphs.front().runner, open_changed(decoder, bytes, open));
  return DecoderSession::create(std::move(graphs),
                                {.rope_theta = folder.text().rope_theta, .context = folder.text().max_position_embeddings});
}

}  // namespace fastvlm
