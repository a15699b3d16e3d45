// A static graph whose float input arrives as integer codes.
#pragma once

#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/graph/encoding.h"

namespace fastvlm {

// The model as bytes, under the name `graph`, with codes of `encoding` (uint16) at its only input and a DequantizeLinear behind them.
// External data stay where they are. Bad input where the model has not one float32 input.
struct CodedInput {
  std::string graph;
  Encoding encoding;
};
Result<std::string> with_coded_input(const Path& model, const CodedInput& coded);

}  // namespace fastvlm
