// Names: every dialect of FastVLM checkpoints, turned into one set of canonical names.
//
// Canonical are the transformers names without the `language_model` level:
//   model.embed_tokens.weight, model.layers.{i}.…, model.norm.weight, lm_head.weight,
//   model.multi_modal_projector.linear_{1,2}.…, model.vision_tower.{stem,stages,final_conv}.…
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"

namespace fastvlm {

// The canonical name of a tensor, or an empty string for one that belongs to no part of FastVLM.
std::string canonical_name(std::string_view name);

// Tensors that every loader passes over: counters, rotary tables, the unused CLIP head.
bool is_ignored_tensor(std::string_view canonical);

// Refuses checkpoints that are FastVLM but not in a form that can be exported (MLX quantised, LoRA adapters), by name.
Status check_exportable_names(std::span<const std::string> names, std::string_view what);

// "llava_qwen2" or "fast_vlm" for a config's model_type; another one is refused with the nearest known.
Result<std::string> check_model_type(std::string_view model_type, std::string_view what);

}  // namespace fastvlm
