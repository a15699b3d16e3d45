// The tensors that a checkpoint must have by its config.json alone.
#pragma once

#include "fastvlm/synthetic/layout.h"

namespace fastvlm {

// Names, shapes and stored type. The tower is FastViTHD in its exported form, of the sizes that the config names or its own. A head
// that is tied is left out. `what` names the config in messages; errors: a size is missing, or sizes contradict each other.
Result<std::vector<TensorDeclaration>> declared_tensors(const Json& config, const std::string& what);

}  // namespace fastvlm
