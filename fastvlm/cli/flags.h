// Sentences of the library name options as its structs do, in backquotes; the program says which flag that is.
#pragma once

#include <string>
#include <string_view>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm::cli {

// "--part-limit" of "part_limit_bytes".
std::string flag_of(std::string_view option);

// "`image_size` 5: too small" becomes "--image-size 5: too small". Backquotes around anything else stay.
std::string with_flags(std::string_view sentence);
// In all strings of `json`.
void spell_flags(OrderedJson& json);
// The message as it is shown.
std::string told_with_flags(const Error& error);

}  // namespace fastvlm::cli
