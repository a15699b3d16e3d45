// JSON from strangers, read strictly: size and depth are limited, duplicate keys and trailing bytes are errors, and every
// access says which file, key and type it wanted.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

using Json = nlohmann::json;                 // for reading: keys sorted, lookups fast
using OrderedJson = nlohmann::ordered_json;  // for writing: keys stay as we put them

// Parses `text`. `what` names the source in messages. Depth at most 64; duplicate keys are refused.
Result<Json> parse_json(std::string_view text, std::string_view what);

// Reads and parses a file of at most `max_bytes`.
Result<Json> read_json_file(const Path& path, std::size_t max_bytes = std::size_t{64} << 20);

// Required members. Errors name `what`, the key and the type found.
Result<std::int64_t> json_integer(const Json& object, std::string_view key, std::string_view what);
Result<double> json_number(const Json& object, std::string_view key, std::string_view what);
Result<bool> json_bool(const Json& object, std::string_view key, std::string_view what);
Result<std::string> json_string(const Json& object, std::string_view key, std::string_view what);

Result<std::vector<std::string>> json_strings(const Json& object, std::string_view key, std::string_view what);
Result<std::vector<std::int64_t>> json_integers(const Json& object, std::string_view key, std::string_view what);
// The member, which is an array. It lives as long as `object`.
Result<const Json*> json_array(const Json& object, std::string_view key, std::string_view what);

// The member, or nullptr when it is absent or null.
const Json* json_find(const Json& object, std::string_view key);

// {"kind": 2, "message": "…", "option": "image_size"}, without "option" when none is wrong. What cannot be read as such comes back as an
// Error of the environment that says so.
Json error_to_json(const Error& error);
Error error_from_json(const Json& json, std::string_view what);

}  // namespace fastvlm
