// Semantic operators in the forms that HTP takes well: static, rank 4 at most, one attention head after the other, no Expand,
// RMS norm as one node.
#pragma once

#include "fastvlm/ops/expand.h"

namespace fastvlm::qnn {

const ops::ExpansionTable& htp_expansions();
// Of graphs whose activations are to be integers.
const ops::ExpansionTable& htp_integer_expansions();

}  // namespace fastvlm::qnn
