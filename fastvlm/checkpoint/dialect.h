// Names: every dialect of FastVLM checkpoints, turned into one set of canonical names.
//
// Canonical are the transformers names without the `language_model` level:
//   model.embed_tokens.weight, model.layers.{i}.…, model.norm.weight, lm_head.weight,
//   model.multi_modal_projector.linear_{1,2}.…, model.vision_tower.{stem,stages,final_conv}.…
#pragma once

#include <string>
#include <string_view>

#include "fastvlm/base/result.h"

namespace fastvlm {

// The canonical name of a tensor without wrappers, or an empty string for one that belongs to no part of FastVLM.
std::string canonical_name(std::string_view name);

// Tensors that every loader passes over: counters, rotary tables, the unused CLIP head.
bool is_ignored_tensor(std::string_view canonical);

// A tensor's name without the wrappers that training tools put around a model ("module.", "_orig_mod.", "base_model.model."),
// and those wrappers, in the order in which they stood.
struct Unwrapped {
  std::string name;
  std::string wrappers;
};
Unwrapped unwrapped_name(std::string_view name);

// "llava_qwen2" or "fast_vlm" for a config's model_type; another one is refused with the nearest known.
Result<std::string> check_model_type(std::string_view model_type, std::string_view what);

}  // namespace fastvlm
