// The bound on the speed of an export, as plan and inspect print it.
#pragma once

#include "fastvlm/base/json.h"

namespace fastvlm::cli {

// `bound` is what speed_bound_json() made; nothing is printed where it has no runs.
void print_speed_bound(const OrderedJson& bound);

}  // namespace fastvlm::cli
