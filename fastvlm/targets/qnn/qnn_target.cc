#include "fastvlm/targets/qnn/qnn_target.h"

#include "fastvlm/targets/qnn/lower/htp_expansions.h"

namespace fastvlm::qnn {

const ops::ExpansionTable& QnnTarget::expansions() const { return htp_expansions(); }

}  // namespace fastvlm::qnn
