#include "fastvlm/clients/check_layout_files.h"

#include <filesystem>
#include <utility>

namespace fastvlm::clients {

bool check_file(LayoutCheck& check, const std::string& name) {
  std::error_code failure;
  if (std::filesystem::is_regular_file(check.folder / name, failure)) return true;
  check.report.miss("files", name, "missing; the client cannot open the folder without it");
  return false;
}

std::optional<Json> json_of(LayoutCheck& check, const std::string& name) {
  if (!check_file(check, name)) return {};
  auto json = read_json_file(check.folder / name);
  if (json.ok() && json->is_object()) return std::move(*json);
  check.report.miss("files", name, json.ok() ? "no JSON object" : json.error().message);
  return {};
}

std::int64_t integer(const Json& json, std::string_view key) {
  const Json* value = json_find(json, key);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : -1;
}

std::string text(const Json& json, std::string_view key) {
  const Json* value = json_find(json, key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

Json object(const Json& json, std::string_view key) {
  const Json* value = json_find(json, key);
  return value != nullptr && value->is_object() ? *value : Json::object();
}

std::optional<std::int64_t> added_token(const Json& tokenizer, std::string_view content) {
  const Json* rows = json_find(tokenizer, "added_tokens");
  if (rows == nullptr || !rows->is_array()) return {};
  for (const Json& row : *rows)
    if (row.is_object() && row.value("content", "") == content && row.contains("id") && row["id"].is_number_integer())
      return row["id"].get<std::int64_t>();
  return {};
}

}  // namespace fastvlm::clients
