#include "fastvlm/session/run_graph.h"

#include <algorithm>
#include <random>

#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

Result<std::vector<NamedTensor>> run_converted(Runner& runner, std::vector<NamedTensor> inputs, std::span<const std::string> wanted) {
  for (NamedTensor& input : inputs)
    for (const TensorInfo& info : runner.inputs()) {
      if (info.name != input.name || info.dtype == input.tensor.dtype) continue;
      if (input.tensor.dtype == Dtype::kFloat32 && info.dtype == Dtype::kFloat16) input.tensor = cast_to(input.tensor, Dtype::kFloat16);
      if (input.tensor.dtype == Dtype::kInt64 && info.dtype == Dtype::kInt32) {
        Tensor narrow = Tensor::zeros(Dtype::kInt32, input.tensor.shape);
        std::ranges::transform(input.tensor.int64s(), narrow.as<std::int32_t>(Dtype::kInt32).begin(),
                               [](std::int64_t id) { return static_cast<std::int32_t>(id); });
        input.tensor = std::move(narrow);
      }
    }
  TRY_ASSIGN(auto outputs, run(runner, inputs, wanted));
  for (NamedTensor& output : outputs)
    if (is_float(output.tensor.dtype) && output.tensor.dtype != Dtype::kFloat32) output.tensor = to_float32(output.tensor.view());
  return outputs;
}

Result<Tensor> run_for(Runner& runner, std::vector<NamedTensor> inputs, const std::string& output) {
  const std::string wanted[] = {output};
  TRY_ASSIGN(auto outputs, run_converted(runner, std::move(inputs), wanted));
  return std::move(outputs.front().tensor);
}

Dtype edge_dtype(const Runner& runner) { return runner.inputs().empty() ? Dtype::kFloat32 : runner.inputs().front().dtype; }

// The distributions of the standard library differ from maker to maker; the generator does not.
Tensor random_floats(Shape shape, float low, float high, std::uint32_t seed) {
  std::mt19937 generator(seed);
  Tensor tensor = Tensor::zeros(Dtype::kFloat32, std::move(shape));
  for (float& value : tensor.floats()) value = low + (high - low) * (static_cast<float>(generator() & 0xFFFFFFu) * 0x1p-24f);
  return tensor;
}

Tensor random_ids(Shape shape, std::int64_t below, std::uint32_t seed) {
  std::mt19937 generator(seed);
  Tensor tensor = Tensor::zeros(Dtype::kInt64, std::move(shape));
  for (std::int64_t& id : tensor.as<std::int64_t>(Dtype::kInt64)) id = static_cast<std::int64_t>(generator()) % below;
  return tensor;
}

Tensor slice_rows(const Tensor& tensor, std::int64_t begin, std::int64_t end) {
  FASTVLM_ASSERT(!tensor.shape.empty() && begin >= 0 && begin <= end && end <= tensor.shape[0], "rows of the tensor");
  Tensor result{.dtype = tensor.dtype, .shape = tensor.shape, .bytes = {}};
  result.shape[0] = end - begin;
  const std::int64_t row = tensor.shape[0] == 0 ? 0 : static_cast<std::int64_t>(tensor.bytes.size()) / tensor.shape[0];
  result.bytes.assign(tensor.bytes.begin() + begin * row, tensor.bytes.begin() + end * row);
  return result;
}

Tensor stack_rows(std::span<const Tensor> tensors) {
  FASTVLM_ASSERT(!tensors.empty(), "something to stack");
  Tensor result = tensors.front();
  for (const Tensor& tensor : tensors.subspan(1)) {
    FASTVLM_ASSERT(tensor.dtype == result.dtype &&
                       std::ranges::equal(tensor.shape.begin() + 1, tensor.shape.end(), result.shape.begin() + 1, result.shape.end()),
                   "equal rows");
    result.shape[0] += tensor.shape[0];
    result.bytes.insert(result.bytes.end(), tensor.bytes.begin(), tensor.bytes.end());
  }
  return result;
}

Tensor reshaped(Tensor tensor, Shape shape) {
  FASTVLM_ASSERT(element_count(shape) == tensor.size(), "as many elements");
  tensor.shape = std::move(shape);
  return tensor;
}

std::int64_t index_of_largest(std::span<const float> values) { return std::ranges::max_element(values) - values.begin(); }

}  // namespace fastvlm
