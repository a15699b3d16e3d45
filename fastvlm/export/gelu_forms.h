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

// A quick form of one GELU and what it loses, as a share of the size of its result (root mean squares).
struct QuickGelu {
  ops::GeluChoice choice;
  double loss = 0;
};

// The form that loses less on numbers of such sizes as were seen at the input of a GELU, fast or joined. Both were measured one at a time
// on the emulated NPU (v73 to v81): fast is 0.1 % too large above 4, joined wrong by 0.002 between -4 and 4. So fast where few inputs are
// above 4, joined where many or large ones are.
QuickGelu quick_gelu(const ValueRange& input);

// As the options say: the policy, and the ranges where there are any. Losses of GELUs one behind the other add up; where all together
// could leave less than 46 dB of the features, those that lose most are exact.
ops::GeluForms gelu_forms(const ExportOptions& options);

}  // namespace fastvlm
