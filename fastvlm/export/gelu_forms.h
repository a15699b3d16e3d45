// Which form each GELU of the static graphs gets.
#pragma once

#include "fastvlm/export/export.h"

namespace fastvlm {

// The form that loses less on numbers such as were seen at the input of a GELU, fast or joined. Both were measured one at a time on the
// emulated NPU (v73 to v81): fast is 0.1 % too large above 4, joined wrong by 0.002 between -4 and 4. The better of the two stays
// below 0.1 % of the result: fast where few inputs are above 4, joined where many or large ones are.
ops::GeluChoice gelu_choice_for(const ValueRange& input);

// As the options say: the choice, and the ranges where there are any.
ops::GeluForms gelu_forms(const ExportOptions& options);

}  // namespace fastvlm
