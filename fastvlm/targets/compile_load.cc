#include "fastvlm/targets/compile_load.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = 2;

// 0 when an extent is not known.
std::uint64_t elements_of(const Dims& dims) {
  Shape shape;
  for (const Dim& dim : dims) shape.push_back(dim.is_static() ? dim.value : 0);
  return static_cast<std::uint64_t>(checked_element_count(shape).value_or(0));
}

}  // namespace

void CompileLoadSum::add(const Graph& graph) {
  elements_.merge(weight_elements(graph));
  for (const ValueInfo& value : graph.values())
    if (value.producer >= 0) largest_value_ = std::max(largest_value_, elements_of(value.dims));
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx));
  for (const OnnxInitializer& initializer : model.initializers) {
    if (!initializer.external) continue;
    const auto elements = checked_element_count(initializer.shape);
    elements_[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] =
        static_cast<std::uint64_t>(elements.value_or(0));
  }
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (const OnnxType* type = model.type_of(output)) largest_value_ = std::max(largest_value_, elements_of(type->dims));
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.graphs = graphs_, .largest_value_bytes = largest_value_ * kHalfBytes};
  for (const auto& [identity, elements] : elements_) load.weight_bytes += elements * kHalfBytes;
  return load;
}

}  // namespace fastvlm
