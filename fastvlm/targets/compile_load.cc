#include "fastvlm/targets/compile_load.h"

#include <algorithm>

#include "fastvlm/base/try.h"

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

std::map<std::string, WeightBytes> stored_weight_bytes(const OnnxModel& model) {
  std::map<std::string, WeightBytes> weights;
  for (const OnnxInitializer& initializer : model.initializers) {
    if (!initializer.external) continue;
    const auto count = static_cast<std::uint64_t>(checked_element_count(initializer.shape).value_or(0));
    const bool packed = initializer.dtype == Dtype::kUint8 || initializer.dtype == Dtype::kInt8;
    weights[fmt::format("{} {}", initializer.external->location, initializer.external->offset)] = {
        .bytes = packed ? count : count * kHalfBytes, .packed = packed ? count : 0};
  }
  return weights;
}

Result<std::uint64_t> stored_weight_total(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx, {.infer_shapes = false}));
  std::uint64_t bytes = 0;
  for (const auto& [place, weight] : stored_weight_bytes(model)) bytes += weight.bytes;
  return bytes;
}

void CompileLoadSum::add(const Graph& graph) {
  weights_.merge(weight_bytes(graph));
  for (const ValueInfo& value : graph.values())
    if (value.producer >= 0) largest_value_ = std::max(largest_value_, elements_of(value.dims));
  ++graphs_;
}

Status CompileLoadSum::add(const Path& onnx) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(onnx));
  weights_.merge(stored_weight_bytes(model));
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (const OnnxType* type = model.type_of(output)) largest_value_ = std::max(largest_value_, elements_of(type->dims));
  ++graphs_;
  return {};
}

CompileLoad CompileLoadSum::load() const {
  CompileLoad load{.graphs = graphs_, .largest_value_bytes = largest_value_ * kHalfBytes};
  for (const auto& [identity, weight] : weights_) {
    load.weight_bytes += weight.bytes;
    load.packed_bytes += weight.packed;
  }
  return load;
}

}  // namespace fastvlm
