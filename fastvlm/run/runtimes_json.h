// The paths of the runtimes on their way to a child process.
#pragma once

#include "fastvlm/base/json.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm {

Json runtimes_to_json(const RuntimePaths& paths);
// Only what loads: the paths. `what` names the source in messages.
Result<RuntimePaths> runtimes_from_json(const Json& json, std::string_view what);

}  // namespace fastvlm
