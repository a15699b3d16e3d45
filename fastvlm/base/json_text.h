// JSON values as people read them, and as they stand in files.
#pragma once

#include <string>

#include "fastvlm/base/json.h"

namespace fastvlm {

// A string without its quotes, anything else as it is written.
template <class AnyJson>
std::string plain_text(const AnyJson& value) {
  return value.is_string() ? value.template get<std::string>() : value.dump();
}

// The content of a file: two blanks for each level, a line feed at the end.
template <class AnyJson = OrderedJson>
std::string json_file_text(const AnyJson& json) {
  return json.dump(2) + "\n";
}

// {"Add": 3, "Conv": 7} -> "Conv 7, Add 3"; equal counts keep their order.
std::string counts_text(const OrderedJson& counts);

}  // namespace fastvlm
