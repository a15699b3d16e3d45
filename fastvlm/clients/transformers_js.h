// transformers.js (npm @huggingface/transformers) from 3.7.3 on: its class LlavaQwen2ForCausalLM.
#pragma once

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// Root configs, tokenizer with "<image>", and onnx/{vision_encoder,embed_tokens,decoder_model_merged}<suffix>.onnx of each variant.
Status add_transformers_js(const LayoutInput& input, LayoutFiles& files);

}  // namespace fastvlm::clients
