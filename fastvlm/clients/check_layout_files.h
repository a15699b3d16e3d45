// Files of a layout as verify --layout looks at them: a row for what is missing or no JSON, and values that are no surprise.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

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

// The id of an added token of tokenizer.json. The clients look for it there and nowhere else.
std::optional<std::int64_t> added_token(const Json& tokenizer, std::string_view content);

}  // namespace fastvlm::clients
