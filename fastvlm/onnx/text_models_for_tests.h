// Small models for tests, from the ONNX text form.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

struct ExternalTensorForTests {
  std::string name;
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  std::vector<std::pair<std::string, std::string>> entries;
};

// The serialized form of `<ir_version: 8, opset_import: ["" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }`. A text without
// "<" at its begin gets exactly that header, with com.microsoft imported as well. A text that cannot be parsed is our own bug.
std::string onnx_from_text(const std::string& text, const std::vector<ExternalTensorForTests>& external = {});

}  // namespace fastvlm
