// The weights of ONNX graphs that are integers, and the floats that they stand for.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/tensor/block_quantise.h"

namespace fastvlm::inspecting {

// Data files, mapped when they are first read.
class OpenFiles {
 public:
  // An Error when the file ends before them.
  Result<std::span<const std::byte>> bytes(const Path& file, std::uint64_t offset, std::uint64_t count);

 private:
  std::map<Path, MappedFile> files_;
};

// Numbers inside the graph or beside it.
struct StoredNumbers {
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  Path file;  // empty: `constant` holds them
  std::uint64_t offset = 0;
  std::optional<Tensor> constant;

  std::int64_t count() const { return element_count(shape); }
  Result<std::span<const std::byte>> bytes(OpenFiles& files, std::int64_t begin, std::int64_t end) const;
};

struct FloatWeight {
  std::string name;
  StoredNumbers numbers;
  bool channels_last = false;  // [in, out], as a MatMul reads it
};

// Matrices, kernels and tables that operators read.
std::vector<FloatWeight> float_weights(const OnnxModel& model, const Path& folder);

// Rows [begin, end) of a float weight; `transposed`: of [out, in] where it lies as [in, out].
struct FloatRows {
  std::int64_t begin = 0, end = 0;
  bool transposed = false;
};
Status read_floats(const FloatWeight& weight, const FloatRows& rows, OpenFiles& files, std::span<float> out);

// Codes and scales of one weight, or of the two parts that make it up.
class CodedWeight {
 public:
  struct Part {
    StoredNumbers codes, scales;
  };

  std::string name;
  std::vector<Part> parts;
  BlockFormat blocks;  // with by_channel only its bits count
  bool by_channel = false;
  std::int64_t axis = 0;  // of the channels
  Shape shape;            // of the numbers: [out, in] in blocks, else that of the codes

  std::int64_t rows() const { return shape[0]; }
  std::int64_t row_size() const { return count() / shape[0]; }
  std::int64_t count() const { return element_count(shape); }
  // As the NPU keeps them, scales in half precision.
  std::uint64_t bytes() const;
  // Of these, what lies in files beside the graphs.
  std::uint64_t stored_bytes() const;
  std::string words() const;
  bool is_transposed(const FloatWeight& floats) const { return !by_channel && floats.channels_last; }
  bool fits(const FloatWeight& floats) const;
  // The numbers of rows [begin, end).
  Status read(std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const;

 private:
  Status read_blocks(const Part& part, std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const;
  Status add_channels(const Part& part, std::int64_t begin, std::int64_t end, OpenFiles& files, std::span<float> out) const;
};

// The codes that MatMulNBits and DequantizeLinear of the graph read, by the name of the weight.
std::vector<CodedWeight> coded_weights(const OnnxModel& model, const Path& folder);

}  // namespace fastvlm::inspecting
