#include "fastvlm/synthetic/declared.h"

#include <algorithm>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// No model of Qwen2 comes near; a wrong digit must not fill the memory.
constexpr std::int64_t kMaxSide = 1 << 20;
constexpr std::int64_t kMaxCount = 1024;

Result<std::int64_t> extent(const Json& config, const char* key, std::int64_t most, const std::string& what) {
  TRY_ASSIGN(const std::int64_t value, json_integer(config, key, what));
  if (value < 1 || value > most) return bad_input("{}: {} = {} must lie between 1 and {}", what, key, value, most);
  return value;
}

// Five sizes of timm's model_args, where the config has them.
Status read_stages(const Json& arguments, const char* key, std::int64_t most, const std::string& what, std::array<std::int64_t, 5>& to) {
  if (json_find(arguments, key) == nullptr) return {};
  TRY_ASSIGN(const std::vector<std::int64_t> values, json_integers(arguments, key, what));
  if (values.size() != to.size() || std::ranges::any_of(values, [&](std::int64_t v) { return v < 1 || v > most; }))
    return bad_input("{}: model_args.{} must be {} sizes above 0", what, key, to.size());
  std::ranges::copy(values, to.begin());
  return {};
}

// transformers' Qwen2 takes as many key/value heads as heads where the config is silent, and does not tie.
Status read_text(const Json& text, const std::string& what, CheckpointSizeFacts& size) {
  TRY_ASSIGN(size.hidden, extent(text, "hidden_size", kMaxSide, what));
  TRY_ASSIGN(size.layers, extent(text, "num_hidden_layers", kMaxCount, what));
  TRY_ASSIGN(size.heads, extent(text, "num_attention_heads", kMaxCount, what));
  TRY_ASSIGN(size.intermediate, extent(text, "intermediate_size", kMaxSide, what));
  TRY_ASSIGN(size.vocab_apple, extent(text, "vocab_size", 16 * kMaxSide, what));
  size.vocab_hf = size.vocab_apple;
  size.kv_heads = size.heads;
  if (json_find(text, "num_key_value_heads") != nullptr) {
    TRY_ASSIGN(size.kv_heads, extent(text, "num_key_value_heads", kMaxCount, what));
  }
  if (size.hidden % size.heads != 0)
    return bad_input("{}: num_attention_heads = {} does not divide hidden_size = {}", what, size.heads, size.hidden);
  if (json_find(text, "head_dim") != nullptr) {
    TRY_ASSIGN(const std::int64_t head, json_integer(text, "head_dim", what));
    if (head != size.hidden / size.heads)
      return bad_input("{}: head_dim = {} is not hidden_size / num_attention_heads; without the weights it cannot be planned", what, head);
  }
  return {};
}

Dtype stored_dtype(const Json& config) {
  for (const char* key : {"dtype", "torch_dtype"}) {
    const Json* dtype = json_find(config, key);
    if (dtype == nullptr || !dtype->is_string()) continue;
    if (*dtype == "float32") return Dtype::kFloat32;
    if (*dtype == "float16") return Dtype::kFloat16;
  }
  return Dtype::kBfloat16;
}

// The config of Apple's dialect says nothing of the tower but its width.
Status check_width(const Json& config, const char* key, const CheckpointSizeFacts& size, const std::string& what) {
  if (json_find(config, key) == nullptr) return {};
  TRY_ASSIGN(const std::int64_t width, json_integer(config, key, what));
  if (width == 2 * size.channels[4]) return {};
  return bad_input("{}: {} = {}, but the tower gives {} channels; the weights are needed to see which tower it is", what, key, width,
                   2 * size.channels[4]);
}

Result<CheckpointSizeFacts> sizes_of(const Json& config, const Json& text, const std::string& what) {
  CheckpointSizeFacts size = facts(CheckpointSize::k0_5b);  // for the tower
  TRY(read_text(text, what, size));
  const Json* flag = json_find(config, "tie_word_embeddings");
  if (flag == nullptr) flag = json_find(text, "tie_word_embeddings");
  size.tied = flag != nullptr && flag->is_boolean() && flag->get<bool>();
  const Json* vision = json_find(config, "vision_config");
  if (const Json* arguments = vision == nullptr ? nullptr : json_find(*vision, "model_args")) {
    TRY(read_stages(*arguments, "layers", kMaxCount, what, size.depths));
    TRY(read_stages(*arguments, "embed_dims", kMaxSide, what, size.channels));
  }
  if (vision != nullptr) TRY(check_width(*vision, "hidden_size", size, what));
  TRY(check_width(config, "mm_hidden_size", size, what));
  return size;
}

}  // namespace

Result<std::vector<TensorDeclaration>> declared_tensors(const Json& config, const std::string& what) {
  if (!config.is_object()) return bad_input("{}: must be a JSON object", what);
  const Json* nested = json_find(config, "text_config");
  const Json* type = json_find(config, "model_type");
  const bool apple = type != nullptr && *type == "llava_qwen2";
  const Json& text = nested != nullptr && !(apple && json_find(config, "num_attention_heads") != nullptr) ? *nested : config;
  TRY_ASSIGN(const CheckpointSizeFacts size, sizes_of(config, text, what));
  std::vector<TensorDeclaration> tensors;
  for (MadeTensor& tensor : checkpoint_tensors(size, apple ? CheckpointDialect::kApple : CheckpointDialect::kHf)) {
    if (size.tied && tensor.declaration.name == "lm_head.weight") continue;
    if (is_float(tensor.declaration.dtype)) tensor.declaration.dtype = stored_dtype(config);
    tensors.push_back(std::move(tensor.declaration));
  }
  return tensors;
}

}  // namespace fastvlm
