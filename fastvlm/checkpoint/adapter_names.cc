#include "fastvlm/checkpoint/adapter_names.h"

#include <array>

#include "fastvlm/checkpoint/dialect.h"

namespace fastvlm {
namespace {

struct Part {
  std::string_view text;
  AdapterRole role;
};
constexpr std::array kParts = {
    Part{".lora_embedding_A", AdapterRole::kEmbeddingDown},
    Part{".lora_embedding_B", AdapterRole::kEmbeddingUp},
    Part{".lora_A", AdapterRole::kDown},
    Part{".lora_B", AdapterRole::kUp},
};
constexpr std::array<std::string_view, 7> kForeign = {".lora_magnitude_vector", ".lora_ia3",        ".hada_w", ".lokr_w", ".oft_",
                                                      ".vera_lambda",           ".trainable_tokens"};

void erase_part(std::string& name, std::string_view part, std::string_view with) {
  if (auto at = name.find(part); at != std::string::npos) name.replace(at, part.size(), with);
}

}  // namespace

Result<AdapterTensor> adapter_tensor(std::string_view name, std::string_view what) {
  constexpr const char* kMerge = "merge it into its model with peft (merge_and_unload) and export that";
  for (std::string_view foreign : kForeign)
    if (name.find(foreign) != std::string_view::npos)
      return bad_input("{}: tensor \"{}\" belongs to another kind of adapter than LoRA ({}); {}", what, name,
                       foreign == ".lora_magnitude_vector" ? "DoRA" : foreign.substr(1), kMerge);
  std::string plain = unwrapped_name(name).name;
  for (const Part& part : kParts) {
    const auto at = plain.find(part.text);
    if (at == std::string::npos) continue;
    if (plain.ends_with(".bias"))
      return bad_input("{}: tensor \"{}\" is a bias of the adapter, which is not supported; {}", what, name, kMerge);
    return AdapterTensor{part.role, plain.substr(0, at)};
  }
  if (plain.find(".original_module.") != std::string::npos) return AdapterTensor{AdapterRole::kFrozen, plain};
  erase_part(plain, ".base_layer.", ".");
  erase_part(plain, ".modules_to_save.default.", ".");
  erase_part(plain, ".modules_to_save.", ".");
  return AdapterTensor{AdapterRole::kReplacement, plain};
}

}  // namespace fastvlm
