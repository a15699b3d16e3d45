// Runner: the seam behind which a graph runs, on the CPU or on the (emulated) NPU.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

// An input or output of a graph as the file declares it.
struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;  // -1: symbolic
};

class Runner {
 public:
  virtual ~Runner() = default;

  virtual const std::vector<TensorInfo>& inputs() const = 0;
  virtual const std::vector<TensorInfo>& outputs() const = 0;

  // Runs the graph once. Inputs borrow the caller's memory and may come in any order; extents of 0 are allowed. Returns the
  // `wanted` outputs in that order, all of them when none is named.
  virtual Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) = 0;
};

// The same, from tensors that own their bytes.
Result<std::vector<NamedTensor>> run(Runner& runner, std::span<const NamedTensor> inputs, std::span<const std::string> wanted = {});

// Borrowed views of tensors, for Runner::run.
std::vector<NamedTensorView> views(std::span<const NamedTensor> tensors);

// An Error that names the first input that is unknown, missing, given twice, or of the wrong type or shape.
Status check_inputs(std::span<const TensorInfo> declared, std::span<const NamedTensorView> given);

}  // namespace fastvlm
