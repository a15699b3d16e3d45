#include "fastvlm/clients/check_layout_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <utility>

namespace fastvlm::clients {
namespace {

constexpr const char* kEndOfTurn = "<|im_end|>";

}  // namespace

bool check_file(LayoutCheck& check, const std::string& name) {
  std::error_code failure;
  if (std::filesystem::is_regular_file(check.folder / name, failure)) return true;
  check.miss("files", name, "missing; the client cannot open the folder without it");
  return false;
}

std::optional<Json> json_of(LayoutCheck& check, const std::string& name) {
  if (!check_file(check, name)) return {};
  auto json = read_json_file(check.folder / name);
  if (json.ok() && json->is_object()) return std::move(*json);
  check.miss("files", name, json.ok() ? "no JSON object" : json.error().message);
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

std::vector<std::int64_t> integers(const Json& json, std::string_view key) {
  std::vector<std::int64_t> all;
  const Json* values = json_find(json, key);
  if (values == nullptr) return all;
  if (values->is_number_integer()) return {values->get<std::int64_t>()};
  if (values->is_array())
    for (const Json& value : *values)
      if (value.is_number_integer()) all.push_back(value.get<std::int64_t>());
  return all;
}

void check_member(LayoutCheck& check, const std::string& file, const Json& json, const FixedMember& member) {
  const Json::json_pointer pointer(member.pointer);
  if (!json.contains(pointer) || json.at(pointer) == member.wanted) return;
  const std::string path = member.pointer;
  check.miss("config", file, fmt::format("{} is {}, but {}", path.substr(path.find_last_of('/') + 1), json.at(pointer).dump(), member.why));
}

void check_heads(LayoutCheck& check, const std::string& file, const Heads& heads, std::int64_t hidden) {
  const std::int64_t width = heads.count * heads.size;
  if (width == hidden) return;
  check.miss("config", file, fmt::format("hidden_size is {}, but {} heads of {} are {}", hidden, heads.count, heads.size, width));
}

void check_template(LayoutCheck& check, const std::string& file) {
  const auto config = json_of(check, file);
  if (config && text(*config, "chat_template").empty())
    check.miss("prompt", file, "has no chat_template, and the client looks nowhere else");
}

void check_end_tokens(LayoutCheck& check, const std::string& file, const Json& json, const char* key, const Json& tokenizer) {
  const auto id = added_token(tokenizer, kEndOfTurn);
  const auto ends = integers(json, key);
  if (!id || std::ranges::find(ends, *id) != ends.end()) return;
  check.miss("tokens", file,
             fmt::format("\"{}\" is token {} of tokenizer.json, but {} has {}: no reply would end", kEndOfTurn, *id, key,
                         ends.empty() ? "none" : fmt::format("only {}", fmt::join(ends, ", "))));
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
