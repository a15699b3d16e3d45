#include "fastvlm/targets/compile_load.h"

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = 2;

}  // namespace

void CompileLoadSum::add(const Graph& graph) {
  for (const ValueInfo& value : graph.values())
    if (value.weight != nullptr)
      weights_[value.weight->identity()] = static_cast<std::uint64_t>(element_count(value.weight->shape())) * kHalfBytes;
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  for (const OnnxInitializer& initializer : model.initializers) {
    if (!initializer.external) continue;
    const auto elements = checked_element_count(initializer.shape);
    weights_[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] =
        static_cast<std::uint64_t>(elements.value_or(0)) * kHalfBytes;
  }
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.graphs = graphs_};
  for (const auto& [identity, bytes] : weights_) load.weight_bytes += bytes;
  return load;
}

}  // namespace fastvlm
