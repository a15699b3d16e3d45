#include "fastvlm/checkpoint/dialect.h"

#include <algorithm>
#include <array>

#include "fastvlm/base/nearest.h"

namespace fastvlm {
namespace {

struct Rename {
  std::string_view from;
  std::string_view to;
};

// Longest first within each group; the first that fits wins. Sources: Apple's checkpoints, transformers fast_vlm (now and
// in its draft), mlx-vlm conversions.
constexpr std::array kPrefixes = {
    Rename{"model.vision_tower.vision_tower.model.", "model.vision_tower."},
    Rename{"model.vision_tower.timm_model.", "model.vision_tower."},
    Rename{"vision_tower.vision_tower.model.", "model.vision_tower."},
    Rename{"vision_tower.vision_model.", "model.vision_tower."},
    Rename{"vision_tower.timm_model.", "model.vision_tower."},
    Rename{"vision_tower.", "model.vision_tower."},
    Rename{"model.vision_tower.", "model.vision_tower."},
    Rename{"model.mm_projector.0.", "model.multi_modal_projector.linear_1."},
    Rename{"model.mm_projector.2.", "model.multi_modal_projector.linear_2."},
    Rename{"mm_projector.0.", "model.multi_modal_projector.linear_1."},
    Rename{"mm_projector.2.", "model.multi_modal_projector.linear_2."},
    Rename{"multi_modal_projector.linear_0.", "model.multi_modal_projector.linear_1."},
    Rename{"model.multi_modal_projector.", "model.multi_modal_projector."},
    Rename{"multi_modal_projector.", "model.multi_modal_projector."},
    Rename{"model.language_model.", "model."},
    Rename{"language_model.model.", "model."},
    Rename{"language_model.lm_head.", "lm_head."},
    Rename{"lm_head.", "lm_head."},
    Rename{"model.embed_tokens.", "model.embed_tokens."},
    Rename{"model.layers.", "model.layers."},
    Rename{"model.norm.", "model.norm."},
    Rename{"model.rotary_emb.", "model.rotary_emb."},
};

// Apple's flat `network` list, entry by entry.
constexpr std::array<std::string_view, 11> kNetwork = {
    "stages.0.blocks.",  "stages.1.downsample.", "stages.1.blocks.",     "stages.2.downsample.", "stages.2.blocks.", "stages.3.downsample.",
    "stages.3.pos_emb.", "stages.3.blocks.",     "stages.4.downsample.", "stages.4.pos_emb.",    "stages.4.blocks."};

constexpr std::array kVisionHeads = {
    Rename{"patch_embed.blocks.", "stem."},
    Rename{"patch_embed.", "stem."},
    Rename{"conv_exp.", "final_conv."},
};

// Apple's module names inside a block.
constexpr std::array kVisionParts = {
    Rename{".lkb_reparam.", ".reparam_conv."}, Rename{".convffn.", ".mlp."},           Rename{".se.reduce.", ".se.fc1."},
    Rename{".se.expand.", ".se.fc2."},         Rename{".rbr_conv.", ".conv_kxk."},     Rename{".rbr_scale.", ".conv_scale."},
    Rename{".rbr_skip.", ".identity."},        Rename{".lkb_origin.", ".large_conv."}, Rename{".pos_emb.pe.", ".pos_emb.pos_enc."},
};

constexpr std::string_view kVision = "model.vision_tower.";

std::string rename_network(std::string_view rest) {
  constexpr std::string_view kPrefix = "network.";
  if (!rest.starts_with(kPrefix)) return std::string(rest);
  rest.remove_prefix(kPrefix.size());
  auto dot = rest.find('.');
  if (dot == 0 || dot > 2 || dot == std::string_view::npos) return {};
  std::size_t index = 0;
  for (char digit : rest.substr(0, dot)) {
    if (digit < '0' || digit > '9') return {};
    index = index * 10 + static_cast<std::size_t>(digit - '0');
  }
  if (index >= kNetwork.size()) return {};
  return std::string(kNetwork[index]) + std::string(rest.substr(dot + 1));
}

std::string rename_vision(std::string_view rest) {
  std::string name = rename_network(rest);
  for (const Rename& row : kVisionHeads)
    if (name.starts_with(row.from)) name.replace(0, row.from.size(), row.to);
  for (const Rename& row : kVisionParts)
    if (auto at = name.find(row.from); at != std::string::npos) name.replace(at, row.from.size(), row.to);
  for (std::string_view scale : {".layer_scale", ".layer_scale_1", ".layer_scale_2"})
    if (name.ends_with(scale)) name += ".gamma";
  bool known = name.starts_with("stem.") || name.starts_with("stages.") || name.starts_with("final_conv.") || name.starts_with("head.");
  return known ? std::string(kVision) + name : std::string();
}

}  // namespace

std::string canonical_name(std::string_view name) {
  for (const Rename& row : kPrefixes) {
    if (!name.starts_with(row.from)) continue;
    std::string_view rest = name.substr(row.from.size());
    if (row.to == kVision) return rename_vision(rest);
    return std::string(row.to) + std::string(rest);
  }
  return {};
}

bool is_ignored_tensor(std::string_view canonical) {
  return canonical.ends_with(".num_batches_tracked") || canonical.ends_with(".rotary_emb.inv_freq") ||
         canonical.starts_with("model.vision_tower.head.");
}

Unwrapped unwrapped_name(std::string_view name) {
  // In front of the whole model, in any order and number.
  constexpr std::array<std::string_view, 7> kFront = {
      "module.",          "_orig_mod.",  "base_model.model.",          "_fsdp_wrapped_module.",
      "_forward_module.", "state_dict.", "_checkpoint_wrapped_module."};
  // Around a part of it.
  constexpr std::array<std::string_view, 3> kInside = {"._orig_mod.", "._fsdp_wrapped_module.", "._checkpoint_wrapped_module."};
  Unwrapped result{.name = std::string(name)};
  for (bool found = true; found;) {
    found = false;
    for (std::string_view front : kFront) {
      if (!result.name.starts_with(front)) continue;
      result.wrappers += front;
      result.name.erase(0, front.size());
      found = true;
    }
  }
  for (std::string_view inside : kInside)
    for (auto at = result.name.find(inside); at != std::string::npos; at = result.name.find(inside)) {
      result.name.erase(at, inside.size() - 1);
      if (result.wrappers.find(inside.substr(1)) == std::string::npos) result.wrappers += inside.substr(1);
    }
  // A model that is one member of another ("model.model.layers.…", "model.lm_head.weight").
  constexpr std::string_view kMember = "model.";
  while (result.name.starts_with(kMember) && canonical_name(result.name).empty()) {
    const std::string inner = result.name.substr(kMember.size());
    if (canonical_name(inner).empty() && !inner.starts_with(kMember)) break;
    result.wrappers += kMember;
    result.name = inner;
  }
  return result;
}

Result<std::string> check_model_type(std::string_view model_type, std::string_view what) {
  constexpr std::array<std::string_view, 2> kKnown = {"llava_qwen2", "fast_vlm"};
  for (std::string_view known : kKnown)
    if (model_type == known) return std::string(known);
  return bad_input("{}: model_type \"{}\" is not a FastVLM; known are llava_qwen2 (Apple) and fast_vlm (transformers), the nearest is {}",
                   what, model_type, nearest_of(model_type, kKnown));
}

}  // namespace fastvlm
