// Chips by name, for tests.
#pragma once

#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::qnn {

inline const Chip* chip_for_tests(std::string_view name) { return find_chip(known_targets(), name).value().chip; }

inline Result<const Soc*> find_soc(std::string_view name) { return &soc_of(*chip_for_tests(name)); }

}  // namespace fastvlm::qnn
