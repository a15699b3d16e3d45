// The file that tells a folder of export --layout from others.
#pragma once

namespace fastvlm {

// Beside the clients' own files: who wrote the folder, for whom, and the hash of every file.
inline constexpr const char* kLayoutsFile = "layouts.json";

}  // namespace fastvlm
