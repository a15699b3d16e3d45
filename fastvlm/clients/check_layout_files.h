// Files of a layout as verify --layout looks at them: a row for what is missing or no JSON, and values that are no surprise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/clients/check_layout_graphs.h"

namespace fastvlm::clients {

// Whether it is there; else a row.
bool check_file(LayoutCheck& check, const std::string& name);
// The file as a JSON object; a row that says why where there is none.
std::optional<Json> json_of(LayoutCheck& check, const std::string& name);

// Members; -1, "" and {} where there is none of that type.
std::int64_t integer(const Json& json, std::string_view key);
std::string text(const Json& json, std::string_view key);
Json object(const Json& json, std::string_view key);

// The integers under a key: a list of them, or one alone.
std::vector<std::int64_t> integers(const Json& json, std::string_view key);

// A member that a file must have, or may leave out; why stands behind "…, but ".
struct FixedMember {
  const char* file;
  const char* pointer;
  Json wanted;
  const char* why;
};
// A row where the member is there and is another.
void check_member(LayoutCheck& check, const std::string& file, const Json& json, const FixedMember& member);

struct Heads {
  std::int64_t count = 0, size = 0;
};
// The heads side by side are as wide as the hidden vector.
void check_heads(LayoutCheck& check, const std::string& file, const Heads& heads, std::int64_t hidden);

// A chat template in tokenizer_config.json.
void check_template(LayoutCheck& check, const std::string& file);

// The ids under `key` of `file` end a reply where the training did.
void check_end_tokens(LayoutCheck& check, const std::string& file, const Json& json, const char* key, const Json& tokenizer);

// The id of an added token of tokenizer.json. The clients look for it there and nowhere else.
std::optional<std::int64_t> added_token(const Json& tokenizer, std::string_view content);

}  // namespace fastvlm::clients
