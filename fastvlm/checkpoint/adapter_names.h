// The tensors of a peft adapter file by their names.
#pragma once

#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

enum class AdapterRole {
  kDown,           // A of a module, [rank, in]
  kUp,             // B, [out, rank]
  kEmbeddingDown,  // A of an embedding, [rank, rows of the table]
  kEmbeddingUp,    // B, [width, rank]
  kReplacement,    // a tensor of the model, trained as a whole
  kFrozen,         // the original that peft keeps beside a replacement
};

struct AdapterTensor {
  AdapterRole role = AdapterRole::kReplacement;
  std::string module;  // without wrappers: "model.layers.3.self_attn.q_proj"; of a replacement the whole name of the tensor
};

// Accepts names with and without the name of the adapter ("lora_A.weight", "lora_A.default.weight"). Parts of adapters that are
// more than B · A (magnitudes of DoRA, biases of their own) are refused; `what` is the file.
Result<AdapterTensor> adapter_tensor(std::string_view name, std::string_view what);

}  // namespace fastvlm
