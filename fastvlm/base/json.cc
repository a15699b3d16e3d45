#include "fastvlm/base/json.h"

#include <algorithm>
#include <set>
#include <vector>

#include "fastvlm/base/file_content.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr int kMaxDepth = 64;

// Checks depth and duplicate keys while nlohmann parses; building the value is left to its own DOM parser.
class StrictSax : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return check_depth();
  }
  bool key(string_t& name) override {
    if (keys_.back().insert(name).second) return true;
    problem = fmt::format("the key \"{}\" stands twice in one object", name);
    return false;
  }
  bool end_object() override {
    keys_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override {
    keys_.emplace_back();
    return check_depth();
  }
  bool end_array() override {
    keys_.pop_back();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    problem = fmt::format("not valid JSON at byte {}", position);
    return false;
  }

  std::string problem;

 private:
  bool check_depth() {
    if (keys_.size() <= kMaxDepth) return true;
    problem = fmt::format("nested deeper than {} levels", kMaxDepth);
    return false;
  }
  std::vector<std::set<std::string>> keys_;
};

bool is_int64(const Json& j) { return j.is_number_integer() && (!j.is_number_unsigned() || j.get<std::uint64_t>() <= INT64_MAX); }

template <class Accept>
Result<const Json*> found(const Json& object, std::string_view key, std::string_view what, const char* type, Accept accept) {
  if (!object.is_object()) return bad_input("{}: expected an object with the key \"{}\"", what, key);
  auto it = object.find(std::string(key));
  if (it == object.end()) return bad_input("{}: the key \"{}\" is missing", what, key);
  if (!accept(*it)) return bad_input("{}: the key \"{}\" must be {}, but is {}", what, key, type, it->type_name());
  return &*it;
}

template <class T, class Accept>
Result<T> member(const Json& object, std::string_view key, std::string_view what, const char* type, Accept accept) {
  TRY_ASSIGN(const Json* value, found(object, key, what, type, accept));
  return value->get<T>();
}

}  // namespace

Result<Json> parse_json(std::string_view text, std::string_view what) {
  StrictSax sax;
  if (!Json::sax_parse(text.begin(), text.end(), &sax)) {
    if (auto wrong = wrong_json(text)) return bad_input("{}: not valid JSON but {}", what, *wrong);
    return bad_input("{}: {}", what, sax.problem.empty() ? "not valid JSON" : sax.problem);
  }
  Json value = Json::parse(text.begin(), text.end(), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) return bad_input("{}: not valid JSON", what);
  return value;
}

Result<Json> read_json_file(const Path& path, std::size_t max_bytes) {
  TRY_ASSIGN(std::string text, read_file(path, max_bytes));
  return parse_json(text, path.string());
}

Result<std::int64_t> json_integer(const Json& object, std::string_view key, std::string_view what) {
  return member<std::int64_t>(object, key, what, "an integer", is_int64);
}
Result<double> json_number(const Json& object, std::string_view key, std::string_view what) {
  return member<double>(object, key, what, "a number", [](const Json& j) { return j.is_number(); });
}
Result<bool> json_bool(const Json& object, std::string_view key, std::string_view what) {
  return member<bool>(object, key, what, "true or false", [](const Json& j) { return j.is_boolean(); });
}
Result<std::string> json_string(const Json& object, std::string_view key, std::string_view what) {
  return member<std::string>(object, key, what, "a string", [](const Json& j) { return j.is_string(); });
}
Result<std::vector<std::string>> json_strings(const Json& object, std::string_view key, std::string_view what) {
  return member<std::vector<std::string>>(object, key, what, "a list of strings", [](const Json& j) {
    return j.is_array() && std::all_of(j.begin(), j.end(), [](const Json& entry) { return entry.is_string(); });
  });
}
Result<std::vector<std::int64_t>> json_integers(const Json& object, std::string_view key, std::string_view what) {
  return member<std::vector<std::int64_t>>(object, key, what, "a list of integers",
                                           [](const Json& j) { return j.is_array() && std::all_of(j.begin(), j.end(), is_int64); });
}
Result<const Json*> json_array(const Json& object, std::string_view key, std::string_view what) {
  return found(object, key, what, "a list", [](const Json& j) { return j.is_array(); });
}

const Json* json_find(const Json& object, std::string_view key) {
  if (!object.is_object()) return nullptr;
  auto it = object.find(std::string(key));
  return it == object.end() || it->is_null() ? nullptr : &*it;
}

Json error_to_json(const Error& error) {
  Json json = {{"kind", static_cast<int>(error.kind)}, {"message", error.message}};
  if (!error.option.empty()) json["option"] = error.option;
  return json;
}

Error error_from_json(const Json& json, std::string_view what) {
  const auto kind = json_integer(json, "kind", what);
  auto message = json_string(json, "message", what);
  auto option = json_find(json, "option") == nullptr ? std::string() : json_string(json, "option", what);
  if (kind.ok() && message.ok() && option.ok())
    for (const ErrorKind known :
         {ErrorKind::kCheckFailed, ErrorKind::kUsage, ErrorKind::kBadInput, ErrorKind::kEnvironment, ErrorKind::kInterrupted})
      if (*kind == static_cast<int>(known)) return {known, *std::move(message), *std::move(option)};
  return bad_environment("{}: gave a reason that cannot be read", what);
}

}  // namespace fastvlm
