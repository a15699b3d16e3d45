#include "fastvlm/targets/compile_load.h"

#include "fastvlm/base/try.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = 2;

}  // namespace

void CompileLoadSum::add(const Graph& graph) {
  elements_.merge(weight_elements(graph));
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  for (const OnnxInitializer& initializer : model.initializers) {
    if (!initializer.external) continue;
    const auto elements = checked_element_count(initializer.shape);
    elements_[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] =
        static_cast<std::uint64_t>(elements.value_or(0));
  }
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.graphs = graphs_};
  for (const auto& [identity, elements] : elements_) load.weight_bytes += elements * kHalfBytes;
  return load;
}

}  // namespace fastvlm
