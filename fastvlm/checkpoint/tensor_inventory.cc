#include "fastvlm/checkpoint/tensor_inventory.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "fastvlm/checkpoint/dialect.h"

namespace fastvlm {
namespace {

Error foreign_tensor(const Checkpoint& checkpoint, const CheckpointTensor& tensor) {
  const std::string_view name = tensor.name;
  const char* hint = "the decoder of FastVLM is Qwen2";
  if (name.ends_with("q_norm.weight") || name.ends_with("k_norm.weight"))
    hint = "Qwen2 does not normalise queries and keys, Qwen3 does";
  else if (name.ends_with(".bias"))
    hint = "Qwen2 has no bias there";
  return bad_input("{}: tensor \"{}\" has no place in the model: {}", checkpoint.folder().string(), tensor.file_name, hint);
}

}  // namespace

Status check_decoder_tensors(const Checkpoint& checkpoint, std::int64_t layers, std::vector<std::string>& findings) {
  static const std::set<std::string, std::less<>> kLayer = {"input_layernorm.weight",  "post_attention_layernorm.weight",
                                                            "self_attn.q_proj.weight", "self_attn.k_proj.weight",
                                                            "self_attn.v_proj.weight", "self_attn.q_proj.bias",
                                                            "self_attn.k_proj.bias",   "self_attn.v_proj.bias",
                                                            "self_attn.o_proj.weight", "mlp.gate_proj.weight",
                                                            "mlp.up_proj.weight",      "mlp.down_proj.weight"};
  static const std::set<std::string, std::less<>> kOther = {"model.embed_tokens.weight", "model.norm.weight", "lm_head.weight"};
  constexpr std::string_view kLayers = "model.layers.";
  std::int64_t biases = 0;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    const std::string_view name = tensor.name;
    if (name.starts_with("model.vision_tower.") || name.starts_with("model.multi_modal_projector.")) continue;
    if (!name.starts_with(kLayers)) {
      if (!kOther.contains(name)) return foreign_tensor(checkpoint, tensor);
      continue;
    }
    const std::string_view rest = name.substr(kLayers.size());
    const std::string index(rest.substr(0, rest.find('.')));
    if (index.size() < 6 && std::atoll(index.c_str()) >= layers) continue;  // of a layer that is not built
    const std::string_view part = rest.substr(std::min(rest.size(), index.size() + 1));
    if (!kLayer.contains(part)) return foreign_tensor(checkpoint, tensor);
    if (part.ends_with(".bias")) ++biases;
  }
  if (const std::int64_t wanted = 3 * layers; biases < wanted)
    findings.push_back(fmt::format("{} of {} biases of q_proj, k_proj and v_proj are not stored and count as zero, as in transformers",
                                   wanted - biases, wanted));
  return {};
}

Status check_unknown_tensors(const Checkpoint& checkpoint, std::vector<std::string>& findings) {
  for (const std::string& file_name : checkpoint.unknown()) {
    const std::string name = unwrapped_name(file_name).name;
    const bool part = name.starts_with("model.") || name.starts_with("language_model.") || name.starts_with("vision_tower.") ||
                      name.find("mm_projector") != std::string::npos || name.find("multi_modal_projector") != std::string::npos;
    if (part && !name.ends_with("image_newline"))
      return bad_input("{}: tensor \"{}\" has no place in the model: FastVLM is FastViTHD, a projector of two layers and Qwen2",
                       checkpoint.folder().string(), file_name);
    findings.push_back(fmt::format("tensor \"{}\" belongs to no part of FastVLM and is not exported", file_name));
  }
  for (const std::string& name : checkpoint.unlisted())
    findings.push_back(fmt::format("tensor \"{}\" is not listed in the index, but its shard is; it is read, as transformers does", name));
  return {};
}

}  // namespace fastvlm
