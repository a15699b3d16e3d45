// Files of encodings, as the QAIRT tools (--quantization_overrides) and AIMET read them: JSON of version 0.6.1, 1.0.0 or 2.0.0,
// one tensor a line. What depends on weights has places of a fixed width, so that the size is known before they are read.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/quant/tensor_encodings.h"

namespace fastvlm {

enum class EncodingsVersion { k061, k100, k200 };

// "0.6.1", "1.0.0", "2.0.0".
std::string_view name(EncodingsVersion version);
std::optional<EncodingsVersion> encodings_version(std::string_view name);

// What stands before and behind a number is the convention of the version: offset = -zero point, and symmetric numbers have the
// offset -2^(bits-1), in the older two; those of ONNX in 2.0.0. A scale of 0 (a block of zeros) is written as 1.
struct EncodingsText {
  EncodingsVersion version = EncodingsVersion::k100;
  std::span<const TensorEncoding> encodings;
};

// Version 0.6.1 has no blocks: an Error names a weight that has them.
Status check_version(const EncodingsText& text);

std::uint64_t bytes_of(const EncodingsText& text);

// Puts out pieces of text. `scales` reads those of a weight, as they are in the graph.
Status write_encodings(const EncodingsText& text, const std::function<Result<std::vector<float>>(const WeightPtr&)>& scales,
                       const std::function<Status(std::string_view)>& put);

}  // namespace fastvlm
