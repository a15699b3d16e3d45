// verify --layout onnxruntime-genai.
#pragma once

#include "fastvlm/clients/check_layout_graphs.h"

namespace fastvlm::clients {

// Each genai_config and what it names: graphs, the steps by which a picture becomes pixels, the tokenizer.
void check_onnxruntime_genai(LayoutCheck& check);

}  // namespace fastvlm::clients
