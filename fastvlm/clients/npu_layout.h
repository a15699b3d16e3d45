// Contexts for ONNX Runtime and its QNN plug-in, with two small clients that show how they are used.
#pragma once

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// npu/: EPContext files with their contexts, the float32 table, the tokenizer, client.py and client.cc, which know this model's names and
// numbers. One recipe, one picture size.
Status add_npu_layout(const LayoutInput& input, LayoutFiles& files);

}  // namespace fastvlm::clients
