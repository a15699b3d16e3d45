#pragma once

#include "fastvlm/author/static_graphs.h"
#include "fastvlm/cli/commands.h"

namespace fastvlm::cli {

// Texts such as "256x512" become numbers; what cannot be one is an Error of wrong usage.
Result<NpuOptions> npu_options(const NpuArguments& arguments);

}  // namespace fastvlm::cli
