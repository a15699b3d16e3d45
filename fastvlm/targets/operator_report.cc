#include "fastvlm/targets/operator_report.h"

#include <array>

namespace fastvlm {

std::string_view name(Verdict verdict) {
  constexpr std::array<std::string_view, 3> names = {"ok", "warning", "refused"};
  return names[static_cast<std::size_t>(verdict)];
}

}  // namespace fastvlm
