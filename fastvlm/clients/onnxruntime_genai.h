// onnxruntime-genai (PyPI) from 0.15 on: its model type videochat_flash_qwen, the one whose pictures have a fixed number of tokens and
// plain positions.
#pragma once

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// genai_config.json for the first variant (and genai_config_<variant>.json, to be laid over it, for each further one), the processor's
// JSON, genai/ with the tokenizer, and onnx/{genai_vision_encoder,genai_embedding,decoder_model_merged}<suffix>.onnx of each variant.
Status add_onnxruntime_genai(const LayoutInput& input, LayoutFiles& files);

}  // namespace fastvlm::clients
