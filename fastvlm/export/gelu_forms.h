// Which form each GELU of the static graphs gets.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/export/export.h"

namespace fastvlm {

// As options and the manifest spell it: "auto", "exact", "fast".
std::string_view name(GeluPolicy policy);
std::optional<GeluPolicy> gelu_policy_of(std::string_view name);
std::vector<std::string> gelu_policy_names();

// The form that loses less on numbers such as were seen at the input of a GELU, fast or joined. Both were measured one at a time on the
// emulated NPU (v73 to v81): fast is 0.1 % too large above 4, joined wrong by 0.002 between -4 and 4. The better of the two stays
// below 0.1 % of the result: fast where few inputs are above 4, joined where many or large ones are.
ops::GeluChoice gelu_choice_for(const ValueRange& input);

// As the options say: the policy, and the ranges where there are any.
ops::GeluForms gelu_forms(const ExportOptions& options);

}  // namespace fastvlm
