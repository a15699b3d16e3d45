#pragma once

#include "fastvlm/cli/commands.h"
#include "fastvlm/export/npu_graphs.h"

namespace fastvlm::cli {

// Texts such as "256x512" become numbers; what cannot be one is an Error of wrong usage.
Result<NpuOptions> npu_options(const NpuArguments& arguments);

}  // namespace fastvlm::cli
