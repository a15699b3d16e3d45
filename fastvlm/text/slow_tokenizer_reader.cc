// vocab.json, merges.txt and the added tokens, which are spread over up to three optional files.
#include <algorithm>
#include <map>
#include <set>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/tokenizer_fields.h"
#include "fastvlm/text/tokenizer_parts.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm {
namespace {

std::string file_of(std::string_view folder, const char* name) { return (Path(folder) / name).string(); }

Result<Json> parse_optional(const std::string& text, const std::string& what) {
  if (text.empty()) return Json::object();
  TRY_ASSIGN(Json json, parse_json(text, what));
  if (!json.is_object()) return bad_input("{}: must be a JSON object", what);
  return json;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_merges(std::string_view text, const std::string& what) {
  if (auto wrong = known_content(text.substr(0, kContentHead), text.size()))
    return bad_input("{}: holds no merges but is {}", what, *wrong);
  if (valid_utf8_prefix(text) != text.size()) return bad_input("{}: byte {} is not UTF-8", what, valid_utf8_prefix(text));
  std::vector<std::pair<std::string, std::string>> merges;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    const bool first = begin == 0;
    begin = end + 1;
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || (first && line.starts_with("#version"))) continue;
    TRY_ASSIGN(auto pair, split_merge(line, what));
    merges.push_back(std::move(pair));
  }
  return merges;
}

// The contents that a config names as special: "eos_token" and its kin, as strings or as objects with "content".
void collect_special(const Json& config, std::set<std::string>& special) {
  const auto add = [&](const Json* value) {
    if (value == nullptr) return;
    const Json* content = value->is_object() ? json_find(*value, "content") : value;
    if (content != nullptr && content->is_string()) special.insert(content->get<std::string>());
  };
  for (const char* key : {"bos_token", "eos_token", "pad_token", "unk_token"}) add(json_find(config, key));
  const Json* additional = json_find(config, "additional_special_tokens");
  if (additional == nullptr || !additional->is_array()) return;
  for (const Json& value : *additional) add(&value);
}

Result<std::int32_t> id_of_key(const std::string& key, const std::string& what) {
  const bool digits = !key.empty() && key.size() <= 9 && key.find_first_not_of("0123456789") == std::string::npos;
  return read_token_id(digits ? Json(std::stoll(key)) : Json(key), key, what);
}

Result<std::vector<AddedToken>> parse_added_tokens(const SlowTokenizerFiles& files, std::string_view folder) {
  const std::string config_file = file_of(folder, "tokenizer_config.json");
  const std::string added_file = file_of(folder, "added_tokens.json");
  const std::string map_file = file_of(folder, "special_tokens_map.json");
  TRY_ASSIGN(const Json config, parse_optional(files.tokenizer_config_json, config_file));
  TRY_ASSIGN(const Json added, parse_optional(files.added_tokens_json, added_file));
  TRY_ASSIGN(const Json special_map, parse_optional(files.special_tokens_map_json, map_file));
  std::map<std::string, AddedToken> by_content;
  if (const Json* decoder = json_find(config, "added_tokens_decoder")) {
    if (!decoder->is_object()) return bad_input("{}: \"added_tokens_decoder\" must be an object", config_file);
    for (const auto& [key, value] : decoder->items()) {
      TRY_ASSIGN(const std::int32_t id, id_of_key(key, config_file));
      TRY_ASSIGN(AddedToken token, read_added_token(value, id, config_file));
      const std::string content = token.content;
      if (!by_content.emplace(content, std::move(token)).second)
        return bad_input("{}: the added token \"{}\" stands there twice", config_file, content);
    }
  }
  std::set<std::string> special;
  collect_special(config, special);
  collect_special(special_map, special);
  for (const auto& [content, value] : added.items()) {
    TRY_ASSIGN(const std::int32_t id, read_token_id(value, content, added_file));
    const bool is_special = special.contains(content);
    const auto [place, is_new] = by_content.emplace(content, AddedToken{content, id, is_special, !is_special});
    if (!is_new && place->second.id != id)
      return bad_input("{}: the added token \"{}\" has the id {}, but {} in tokenizer_config.json", added_file, content, id,
                       place->second.id);
  }
  std::vector<AddedToken> tokens;
  for (auto& [content, token] : by_content) tokens.push_back(std::move(token));
  TRY(check_added_tokens(tokens, folder));
  return tokens;
}

Result<std::string> read_optional(const Path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  return read_file(path, kMaxTokenizerFileBytes);
}

}  // namespace

Result<TokenizerParts> parse_slow_tokenizer(const SlowTokenizerFiles& files, std::string_view what) {
  const std::string vocabulary_file = file_of(what, "vocab.json");
  TokenizerParts parts;
  TRY_ASSIGN(const Json vocabulary, parse_json(files.vocab_json, vocabulary_file));
  TRY_ASSIGN(parts.vocabulary, read_vocabulary(vocabulary, vocabulary_file));
  TRY_ASSIGN(parts.merges, parse_merges(files.merges_txt, file_of(what, "merges.txt")));
  TRY_ASSIGN(parts.added_tokens, parse_added_tokens(files, what));
  return parts;
}

Result<SlowTokenizerFiles> read_slow_tokenizer_files(const Path& folder) {
  std::error_code ignored;
  for (const char* name : {"vocab.json", "merges.txt"}) {
    if (!std::filesystem::exists(folder / name, ignored))
      return bad_input("{}: no tokenizer there; tokenizer.json, or vocab.json and merges.txt, are needed", folder.string());
  }
  SlowTokenizerFiles files;
  TRY_ASSIGN(files.vocab_json, read_file(folder / "vocab.json", kMaxTokenizerFileBytes));
  TRY_ASSIGN(files.merges_txt, read_file(folder / "merges.txt", kMaxTokenizerFileBytes));
  TRY_ASSIGN(files.added_tokens_json, read_optional(folder / "added_tokens.json"));
  TRY_ASSIGN(files.tokenizer_config_json, read_optional(folder / "tokenizer_config.json"));
  TRY_ASSIGN(files.special_tokens_map_json, read_optional(folder / "special_tokens_map.json"));
  return files;
}

}  // namespace fastvlm
