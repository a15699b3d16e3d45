// The weights behind graphs, for caches of what was made of both.
#pragma once

#include <span>
#include <string>

#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

// One name for the files of weights that these static graphs name, by the hashes of the manifest: what other graphs take changes nothing.
Result<std::string> weights_identity(const Manifest& manifest, std::span<const Path> graphs);

}  // namespace fastvlm
