#include "fastvlm/targets/compile_load.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = 2;

// 0 for a shape that is not known in full.
std::uint64_t half_bytes(const Dims& dims) {
  std::uint64_t elements = 1;
  for (const Dim& dim : dims) elements *= dim.is_static() ? static_cast<std::uint64_t>(dim.value) : 0;
  return elements * kHalfBytes;
}

}  // namespace

void CompileLoadSum::add(const Graph& graph) {
  for (const ValueInfo& value : graph.values())
    if (value.weight != nullptr)
      weights_[value.weight->identity()] = static_cast<std::uint64_t>(element_count(value.weight->shape())) * kHalfBytes;
  std::uint64_t largest = 0;
  for (const Node& node : graph.nodes()) {
    std::uint64_t bytes = 0;
    for (const auto* side : {&node.inputs, &node.outputs})
      for (const int index : *side)
        if (index >= 0 && !graph.value(index).is_constant()) bytes += half_bytes(graph.value(index).dims);
    largest = std::max(largest, bytes);
  }
  activation_bytes_ += largest;
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx));
  std::map<std::string, bool> constant;
  for (const OnnxInitializer& initializer : model.initializers) {
    constant[initializer.name] = true;
    if (!initializer.external) continue;
    const auto elements = checked_element_count(initializer.shape);
    weights_[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] =
        static_cast<std::uint64_t>(elements.value_or(0)) * kHalfBytes;
  }
  std::uint64_t largest = 0;
  for (const OnnxNode& node : model.nodes) {
    std::uint64_t bytes = 0;
    for (const auto* side : {&node.inputs, &node.outputs})
      for (const std::string& name : *side)
        if (const OnnxType* type = model.type_of(name); type != nullptr && type->has_shape && !constant.contains(name))
          bytes += half_bytes(type->dims);
    largest = std::max(largest, bytes);
  }
  activation_bytes_ += largest;
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.activation_bytes = activation_bytes_, .graphs = graphs_};
  for (const auto& [identity, bytes] : weights_) load.weight_bytes += bytes;
  return load;
}

}  // namespace fastvlm
