#include "fastvlm/text/tokenizer_fields.h"

#include <algorithm>

#include "fastvlm/base/try.h"

namespace fastvlm {

bool read_flag(const Json& object, std::string_view key) {
  const Json* value = json_find(object, key);
  return value != nullptr && value->is_boolean() && value->get<bool>();
}

Result<std::int32_t> read_token_id(const Json& value, std::string_view token, std::string_view what) {
  if (value.is_number_integer() && (!value.is_number_unsigned() || value.get<std::uint64_t>() <= kMaxTokenId)) {
    const auto id = value.get<std::int64_t>();
    if (id >= 0 && id <= kMaxTokenId) return static_cast<std::int32_t>(id);
  }
  return bad_input("{}: the id of the token \"{}\" must be an integer from 0 to {}", what, token, kMaxTokenId);
}

Result<std::vector<VocabularyEntry>> read_vocabulary(const Json& object, std::string_view what) {
  if (!object.is_object()) return bad_input("{}: the vocabulary must be an object from tokens to ids", what);
  std::vector<VocabularyEntry> vocabulary;
  vocabulary.reserve(object.size());
  for (const auto& [spelling, value] : object.items()) {
    TRY_ASSIGN(const std::int32_t id, read_token_id(value, spelling, what));
    vocabulary.push_back({spelling, id});
  }
  std::sort(vocabulary.begin(), vocabulary.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return vocabulary;
}

Result<std::pair<std::string, std::string>> split_merge(std::string_view merge, std::string_view what) {
  const std::size_t space = merge.find(' ');
  if (space == std::string_view::npos || merge.find(' ', space + 1) != std::string_view::npos)
    return bad_input("{}: the merge \"{}\" is not two tokens with one space between them", what, merge);
  return std::pair(std::string(merge.substr(0, space)), std::string(merge.substr(space + 1)));
}

Result<AddedToken> read_added_token(const Json& object, std::int32_t id, std::string_view what) {
  TRY_ASSIGN(std::string content, json_string(object, "content", what));
  AddedToken token{std::move(content), id, read_flag(object, "special"), false};
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    if (read_flag(object, key))
      return bad_input("{}: the added token \"{}\" uses \"{}\", which is not supported", what, token.content, key);
  }
  token.normalized = read_flag(object, "normalized");
  return token;
}

Status check_added_tokens(std::vector<AddedToken>& tokens, std::string_view what) {
  if (tokens.size() > kMaxAddedTokens)
    return bad_input("{}: {} added tokens; at most {} are supported", what, tokens.size(), kMaxAddedTokens);
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].content.empty() || tokens[i].content.size() > kMaxAddedTokenBytes)
      return bad_input("{}: the added token with the id {} must have 1 to {} bytes", what, tokens[i].id, kMaxAddedTokenBytes);
    if (i > 0 && tokens[i].id == tokens[i - 1].id)
      return bad_input("{}: the added tokens \"{}\" and \"{}\" have the same id {}", what, tokens[i - 1].content, tokens[i].content,
                       tokens[i].id);
  }
  return {};
}

}  // namespace fastvlm
