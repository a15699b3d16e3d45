// What a recipe says about weights that it cannot mean.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/export/export.h"

namespace fastvlm {

// Names of the weights in the plain graphs; of a head that is tied to the table both names.
std::vector<std::string> weight_names(const PreparedExport& prepared);

// A sentence for each rule that matches none of these weights, and for each that decides about none because earlier rules do.
std::vector<std::string> recipe_findings(const Recipe& recipe, const std::vector<std::string>& weights);

}  // namespace fastvlm
