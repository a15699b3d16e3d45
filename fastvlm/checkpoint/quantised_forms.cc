#include "fastvlm/checkpoint/quantised_forms.h"

#include <array>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::string_view kWayOut = "export needs the original bf16, f16 or f32 checkpoint";

struct NamePart {
  std::string_view part;
  bool at_end;
  std::string_view form;
};

// What marks a form in the names of its tensors. The first that fits wins.
constexpr std::array kNameParts = {
    NamePart{".lora_A", false, "LoRA"},
    NamePart{".lora_B", false, "LoRA"},
    NamePart{".lora_embedding_", false, "LoRA"},
    NamePart{".lora_magnitude_vector", false, "LoRA"},
    NamePart{".quant_state.bitsandbytes__", false, "a bitsandbytes 4-bit"},
    NamePart{".absmax", true, "a bitsandbytes 4-bit"},
    NamePart{".quant_map", true, "a bitsandbytes 4-bit"},
    NamePart{".SCB", true, "a bitsandbytes 8-bit"},
    NamePart{".weight_format", true, "a bitsandbytes 8-bit"},
    NamePart{".qweight", true, "a GPTQ or AWQ"},
    NamePart{".qzeros", true, "a GPTQ or AWQ"},
    NamePart{".g_idx", true, "a GPTQ or AWQ"},
    NamePart{".scales", true, "an MLX"},
    NamePart{".weight_packed", true, "a compressed-tensors"},
    NamePart{".weight_zero_point", true, "a compressed-tensors"},
    NamePart{".weight_scale", true, "an fp8 or int8"},
    NamePart{".weight_scale_inv", true, "an fp8"},
    NamePart{".input_scale", true, "an fp8 or int8"},
    NamePart{".weight._data", true, "a quanto"},
    NamePart{".W_q", true, "an HQQ"},
    NamePart{".codebooks", true, "an AQLM"},
    NamePart{".weight_blocks", true, "an mxfp4"},
};

}  // namespace

Status check_not_quantised(const Json& config, std::string_view what) {
  const Json* text = json_find(config, "text_config");
  for (const Json* place : {&config, text}) {
    if (place == nullptr) continue;
    for (const char* key : {"quantization_config", "compression_config"}) {
      const Json* quantised = json_find(*place, key);
      if (quantised == nullptr) continue;
      const Json* method = json_find(*quantised, "quant_method");
      const std::string name = method != nullptr && method->is_string() ? method->get<std::string>() : "unnamed";
      return bad_input("{}: {} says that the weights are quantised ({}); {}", what, key, name, kWayOut);
    }
    if (json_find(*place, "quantization") != nullptr)
      return bad_input("{}: quantization says that this is an MLX quantised folder; {}", what, kWayOut);
  }
  return {};
}

Status check_plain_names(std::span<const std::string> names, std::string_view what) {
  for (const std::string& name : names)
    for (const NamePart& row : kNameParts) {
      const bool fits = row.at_end ? name.ends_with(row.part) : name.find(row.part) != std::string::npos;
      if (!fits) continue;
      if (row.form == "LoRA")
        return bad_input(
            "{}: the model file holds LoRA adapters (tensor \"{}\"); merge them into the weights (merge_and_unload of peft), or give the "
            "adapter folder as `model_dir` and the model as `base_model`",
            what, name);
      return bad_input("{}: {} quantised checkpoint (tensor \"{}\"); {}", what, row.form, name, kWayOut);
    }
  return {};
}

std::string_view quantised_type(std::string_view type) {
  if (type.starts_with("F8_")) return "fp8";
  if (type.starts_with("F4") || type.starts_with("F6_")) return "mxfp4 or fp6";
  if (type == "I4" || type == "U4") return "4-bit";
  return {};
}

}  // namespace fastvlm
