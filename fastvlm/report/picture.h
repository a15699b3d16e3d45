// Pictures within a page.
#pragma once

#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm::report {

// An <img> with the picture itself in it as a JPEG, made smaller until no side is longer than `side` pixels. `words` describe it.
Result<std::string> embedded_picture(const Path& file, int side, const std::string& words);

// As RFC 4648 has it.
std::string base64(const std::string& bytes);

}  // namespace fastvlm::report
