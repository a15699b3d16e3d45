#include "fastvlm/text/tokenizer_parts.h"

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/pretokenizer.h"
#include "fastvlm/text/tokenizer_fields.h"

namespace fastvlm {
namespace {

// How a component is named in a message: its type, or what stands in its place.
std::string type_of(const Json* component) {
  if (component == nullptr) return "none";
  const Json* type = json_find(*component, "type");
  return type != nullptr && type->is_string() ? type->get<std::string>() : "one without a type";
}

// True when the member is absent, null, an empty string, false, or zero: the ways to say "not used".
bool unused(const Json& object, std::string_view key) {
  const Json* value = json_find(object, key);
  return value == nullptr || *value == "" || *value == false || *value == 0;
}

Result<bool> parse_normalizer(const Json* normalizer, std::string_view what) {
  if (normalizer == nullptr) return false;
  const std::string type = type_of(normalizer);
  if (type == "NFC") return true;
  return bad_input("{}: the normalizer is {}; only NFC or none is supported", what, type);
}

Status check_byte_level(const Json* component, std::string_view role, std::string_view what) {
  const std::string type = type_of(component);
  if (type == "ByteLevel") return {};
  return bad_input("{}: the {} is {}; only ByteLevel is supported", what, role, type);
}

// A Sequence of Split with Qwen2's pattern and ByteLevel that adds and splits nothing.
Status check_pre_tokenizer(const Json* pre_tokenizer, std::string_view what) {
  const std::string type = type_of(pre_tokenizer);
  const Json* steps = type == "Sequence" ? json_find(*pre_tokenizer, "pretokenizers") : nullptr;
  if (steps == nullptr || !steps->is_array() || steps->size() != 2)
    return bad_input("{}: the pre-tokenizer is {}; only a Sequence of Split and ByteLevel is supported", what, type);
  const Json& split = (*steps)[0];
  if (type_of(&split) != "Split") return bad_input("{}: the first pre-tokenizer is {}; only Split is supported", what, type_of(&split));
  const Json* pattern = json_find(split, "pattern");
  const Json* regex = pattern == nullptr ? nullptr : json_find(*pattern, "Regex");
  if (regex == nullptr || *regex != kQwen2SplitPattern)
    return bad_input("{}: the pre-tokenizer splits by {}; only the pattern of Qwen2 is supported", what,
                     pattern == nullptr ? "nothing" : pattern->dump(-1, ' ', false, Json::error_handler_t::replace));
  const Json* behavior = json_find(split, "behavior");
  if (behavior == nullptr || *behavior != "Isolated" || read_flag(split, "invert"))
    return bad_input("{}: the Split pre-tokenizer must be \"Isolated\" and not inverted", what);
  const Json& byte_level = (*steps)[1];
  TRY(check_byte_level(&byte_level, "second pre-tokenizer", what));
  const Json* use_regex = json_find(byte_level, "use_regex");  // true when absent
  if (read_flag(byte_level, "add_prefix_space") || use_regex == nullptr || *use_regex != false)
    return bad_input("{}: the ByteLevel pre-tokenizer must have add_prefix_space and use_regex false", what);
  return {};
}

Status parse_model(const Json* model, TokenizerParts& parts, std::string_view what) {
  const std::string type = type_of(model);
  if (type != "BPE") return bad_input("{}: the model is {}; only BPE is supported", what, type);
  for (const char* key : {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    if (!unused(*model, key)) return bad_input("{}: the BPE model uses \"{}\", which is not supported", what, key);
  }
  parts.ignore_merges = read_flag(*model, "ignore_merges");
  const Json* vocabulary = json_find(*model, "vocab");
  if (vocabulary == nullptr) return bad_input("{}: the BPE model has no \"vocab\"", what);
  TRY_ASSIGN(parts.vocabulary, read_vocabulary(*vocabulary, what));
  const Json* merges = json_find(*model, "merges");
  if (merges == nullptr || !merges->is_array()) return bad_input("{}: the BPE model has no list \"merges\"", what);
  parts.merges.reserve(merges->size());
  for (const Json& merge : *merges) {
    if (merge.is_string()) {
      TRY_ASSIGN(auto pair, split_merge(merge.get_ref<const std::string&>(), what));
      parts.merges.push_back(std::move(pair));
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      parts.merges.emplace_back(merge[0].get<std::string>(), merge[1].get<std::string>());
    } else {
      return bad_input("{}: entry {} of \"merges\" is neither a string nor two strings", what, parts.merges.size());
    }
  }
  return {};
}

}  // namespace

Result<TokenizerParts> parse_tokenizer_json(std::string_view text, std::string_view what) {
  TRY_ASSIGN(const Json root, parse_json(text, what));
  if (!root.is_object()) return bad_input("{}: a tokenizer.json must be an object", what);
  if (json_find(root, "model") == nullptr) {
    if (auto answer = server_answer(root)) return bad_input("{}: is {}", what, *answer);
  }
  TokenizerParts parts;
  TRY_ASSIGN(parts.normalize, parse_normalizer(json_find(root, "normalizer"), what));
  TRY(check_pre_tokenizer(json_find(root, "pre_tokenizer"), what));
  if (const Json* post_processor = json_find(root, "post_processor")) TRY(check_byte_level(post_processor, "post-processor", what));
  TRY(check_byte_level(json_find(root, "decoder"), "decoder", what));
  TRY(parse_model(json_find(root, "model"), parts, what));
  if (const Json* added = json_find(root, "added_tokens")) {
    if (!added->is_array()) return bad_input("{}: \"added_tokens\" must be a list", what);
    for (const Json& entry : *added) {
      const Json* id = json_find(entry, "id");
      if (id == nullptr) return bad_input("{}: an added token has no id", what);
      TRY_ASSIGN(const std::int32_t number, read_token_id(*id, "added", what));
      TRY_ASSIGN(AddedToken token, read_added_token(entry, number, what));
      parts.added_tokens.push_back(std::move(token));
    }
  }
  TRY(check_added_tokens(parts.added_tokens, what));
  return parts;
}

}  // namespace fastvlm
