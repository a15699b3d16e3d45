// The sections of the page that take more than a table.
#pragma once

#include <string>

#include "fastvlm/datasheet/datasheet.h"

namespace fastvlm::datasheets {

// Pictures with the answers of each decoder.
std::string answers_section(const Datasheet& sheet);
// Gates and the accuracy of every layer, as plots and tables.
std::string accuracy_section(const Datasheet& sheet);
// Contexts, and the operators that the NPU runs.
std::string npu_section(const Datasheet& sheet);

}  // namespace fastvlm::datasheets
