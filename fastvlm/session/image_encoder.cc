#include "fastvlm/session/image_encoder.h"

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kPixelsPerToken = 64;  // along a side
constexpr const char* kInput = "pixel_values";
constexpr const char* kOutput = "image_features";

}  // namespace

std::int64_t ImageEncoder::tokens() const {
  const std::int64_t side = options_.preprocess.settings.size / kPixelsPerToken;
  return side * side;
}

Result<Picture> ImageEncoder::load(const Path& file) const {
  Picture picture;
  TRY_ASSIGN(picture.pixel_values, load_pixel_values(file, options_.preprocess));
  Sha256 hash;
  hash.update(std::as_bytes(std::span(picture.pixel_values)));
  picture.hash = hash.hex();
  return picture;
}

Result<std::vector<float>> ImageEncoder::encode(const Picture& picture) {
  const std::string what = options_.graph.string();
  if (!runner_) {
    TRY_ASSIGN(runner_, options_.open(options_.graph));
  }
  if (runner_->inputs().size() != 1 || runner_->inputs()[0].name != kInput)
    return bad_input("{}: a vision graph has one input \"{}\"; export again", what, kInput);
  const TensorInfo& input = runner_->inputs()[0];
  if (input.dtype != Dtype::kFloat32 && input.dtype != Dtype::kFloat16)
    return bad_input("{}: \"{}\" is {}, expected float32 or float16", what, kInput, name(input.dtype));
  const std::int64_t size = options_.preprocess.settings.size;
  const NamedTensor pixels{kInput, cast_to(Tensor::of_floats({1, 3, size, size}, picture.pixel_values), input.dtype)};
  const std::string wanted[] = {kOutput};
  TRY_ASSIGN(const std::vector<NamedTensor> outputs, run(*runner_, {&pixels, 1}, wanted));
  if (!options_.keep_open) runner_.reset();
  const Shape expected = {1, tokens(), options_.hidden_size};
  const Tensor& features = outputs[0].tensor;
  if (features.shape != expected || !is_float(features.dtype))
    return bad_input("{}: \"{}\" has shape {}, expected {}; export again", what, kOutput, to_string(features.shape), to_string(expected));
  const Tensor floats = to_float32(features.view());
  return std::vector<float>(floats.floats().begin(), floats.floats().end());
}

}  // namespace fastvlm
