#include "fastvlm/base/object_reader.h"

#include <cmath>

namespace fastvlm {
namespace {

// Where it came from, a number above 2^63 would become negative.
bool is_integer(const Json& json) {
  return json.is_number_integer() && (!json.is_number_unsigned() || json.get<std::uint64_t>() <= INT64_MAX);
}
bool is_finite(const Json& json) { return json.is_number() && std::isfinite(json.get<double>()); }

}  // namespace

ObjectReader::ObjectReader(const Json& json, std::string where, std::optional<Error>& problem)
    : json_(&json), where_(std::move(where)), problem_(&problem) {
  if (!json.is_object()) refuse("expected an object, not {}", json.type_name());
}

bool ObjectReader::usable() const { return !*problem_ && json_->is_object(); }

bool ObjectReader::has(const char* key) const { return usable() && json_find(*json_, key) != nullptr; }

const Json* ObjectReader::member(const char* key, const char* expected, bool (*accept)(const Json&)) const {
  if (!usable()) return nullptr;
  const auto at = json_->find(key);
  if (at == json_->end()) {
    refuse("the key \"{}\" is missing, expected {}", key, expected);
    return nullptr;
  }
  if (accept(*at)) return &*at;
  refuse("the key \"{}\" must be {}, but is {}", key, expected, at->type_name());
  return nullptr;
}

std::string ObjectReader::text(const char* key) const {
  const Json* json = member(key, "a string", [](const Json& j) { return j.is_string(); });
  return json == nullptr ? std::string() : json->get<std::string>();
}

bool ObjectReader::boolean(const char* key) const {
  const Json* json = member(key, "true or false", [](const Json& j) { return j.is_boolean(); });
  return json != nullptr && json->get<bool>();
}

double ObjectReader::number(const char* key, double min, double max) const {
  const Json* json = member(key, "a number", is_finite);
  if (json == nullptr) return 0;
  const auto value = json->get<double>();
  if (value < min || value > max) refuse("the key \"{}\" must be from {} to {}, but is {}", key, min, max, value);
  return value;
}

std::int64_t ObjectReader::integer(const char* key, std::int64_t min, std::int64_t max) const {
  const Json* json = member(key, "an integer", is_integer);
  if (json == nullptr) return 0;
  const auto value = json->get<std::int64_t>();
  if (value < min || value > max) refuse("the key \"{}\" must be from {} to {}, but is {}", key, min, max, value);
  return value;
}

const Json* ObjectReader::array(const char* key) const {
  return member(key, "a list", [](const Json& j) { return j.is_array(); });
}

std::vector<std::string> ObjectReader::texts(const char* key) const {
  std::vector<std::string> values;
  const Json* list = array(key);
  if (list == nullptr) return values;
  for (const Json& json : *list) {
    if (!json.is_string()) {
      refuse("the key \"{}\" must be a list of strings, but one of them is {}", key, json.type_name());
      return {};
    }
    values.push_back(json.get<std::string>());
  }
  return values;
}

std::vector<std::int64_t> ObjectReader::integers(const char* key, std::int64_t min, std::int64_t max) const {
  std::vector<std::int64_t> values;
  const Json* list = array(key);
  if (list == nullptr) return values;
  for (const Json& json : *list) {
    const std::int64_t value = is_integer(json) ? json.get<std::int64_t>() : min - 1;
    if (value < min || value > max) {
      refuse("the key \"{}\" must be a list of integers from {} to {}", key, min, max);
      return {};
    }
    values.push_back(value);
  }
  return values;
}

std::vector<double> ObjectReader::numbers(const char* key) const {
  std::vector<double> values;
  const Json* list = array(key);
  if (list == nullptr) return values;
  for (const Json& json : *list) {
    if (!is_finite(json)) {
      refuse("the key \"{}\" must be a list of numbers, but one of them is {}", key, json.type_name());
      return {};
    }
    values.push_back(json.get<double>());
  }
  return values;
}

ObjectReader ObjectReader::object(const char* key) const {
  static const Json nothing = Json::object();
  const Json* json = member(key, "an object", [](const Json& j) { return j.is_object(); });
  return {json == nullptr ? nothing : *json, fmt::format("{}: {}", where_, key), *problem_};
}

}  // namespace fastvlm
