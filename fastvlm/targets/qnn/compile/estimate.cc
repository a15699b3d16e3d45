#include "fastvlm/targets/qnn/compile/estimate.h"

namespace fastvlm::qnn {

std::uint64_t compile_memory(const CompileLoad& load) { return (std::uint64_t{1} << 30) + 9 * load.weight_bytes; }

std::uint64_t context_bytes(const CompileLoad& load) { return load.weight_bytes + load.weight_bytes / 50 + (load.graphs << 20); }

}  // namespace fastvlm::qnn
