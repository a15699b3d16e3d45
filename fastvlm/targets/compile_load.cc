#include "fastvlm/targets/compile_load.h"

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = 2;

}  // namespace

void CompileLoadSum::add(const Graph& graph) {
  weights_.merge(weight_bytes(graph));
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  for (const OnnxInitializer& initializer : model.initializers) {
    if (!initializer.external) continue;
    const auto elements = checked_element_count(initializer.shape);
    const auto count = static_cast<std::uint64_t>(elements.value_or(0));
    const bool packed = initializer.dtype == Dtype::kUint8;
    weights_[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] = {
        .bytes = packed ? count : count * kHalfBytes, .packed = packed ? count : 0};
  }
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.graphs = graphs_};
  for (const auto& [identity, weight] : weights_) load.weight_bytes += weight.bytes, load.packed_bytes += weight.packed;
  return load;
}

}  // namespace fastvlm
