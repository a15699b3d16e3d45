// Target: the seam behind which an NPU lives. A target says how semantic operators look on it; compiling and inspecting its
// contexts is its own business (targets/qnn/).
#pragma once

#include <string>

#include "fastvlm/ops/expand.h"

namespace fastvlm {

class Target {
 public:
  virtual ~Target() = default;
  virtual std::string name() const = 0;
  // Reference rows with this target's own in their place.
  virtual const ops::ExpansionTable& expansions() const = 0;
};

}  // namespace fastvlm
