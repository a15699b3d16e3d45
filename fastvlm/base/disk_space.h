// Sizes as people read them, and whether something fits a disk.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "fastvlm/base/files.h"

namespace fastvlm {

// "999 B", "1.5 kB", "2.0 GB": thousands, not 1024s.
std::string human_bytes(std::uint64_t bytes);

// An Error when `bytes` are not free where `folder` is or will be; `what` needs them: "the export".
Status check_free_space(const Path& folder, std::uint64_t bytes, std::string_view what);

}  // namespace fastvlm
