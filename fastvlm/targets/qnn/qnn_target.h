// Qualcomm HTP as a Target.
#pragma once

#include "fastvlm/targets/target.h"

namespace fastvlm::qnn {

class QnnTarget final : public Target {
 public:
  std::string name() const override { return "qnn-htp"; }
  const ops::ExpansionTable& expansions() const override;
};

}  // namespace fastvlm::qnn
