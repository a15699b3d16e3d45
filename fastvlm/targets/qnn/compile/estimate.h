// What compiling takes and gives, before it is done.
#pragma once

#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

// Resident memory while one context is compiled, rounded up from what was measured (bench/README.md).
std::uint64_t compile_memory(const CompileLoad& load);

// The size of the binary: the weights in half precision, and the code of the graphs.
std::uint64_t context_bytes(const CompileLoad& load);

}  // namespace fastvlm::qnn
