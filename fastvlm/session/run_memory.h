// Runners that remember what they were given, to run the same again elsewhere.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// The inputs of the last run of each graph, by the path that it was opened with.
using RunMemory = std::map<std::string, std::vector<NamedTensor>>;

// Opens graphs as `open` does; `memory` must outlive the runners.
OpenGraph remembering(OpenGraph open, RunMemory& memory);

}  // namespace fastvlm
