// JSON values as people read them.
#pragma once

#include <string>

#include "fastvlm/base/json.h"

namespace fastvlm {

// A string without its quotes, anything else as it is written.
template <class AnyJson>
std::string plain_text(const AnyJson& value) {
  return value.is_string() ? value.template get<std::string>() : value.dump();
}

// {"Add": 3, "Conv": 7} -> "Conv 7, Add 3"; equal counts keep their order.
std::string counts_text(const OrderedJson& counts);

}  // namespace fastvlm
