// The contexts that were compiled, as a table; export and compile print it.
#pragma once

#include <vector>

#include "fastvlm/compile/compile_output.h"

namespace fastvlm::cli {

void print_compiled(const std::vector<CompiledTarget>& targets, bool json);

}  // namespace fastvlm::cli
