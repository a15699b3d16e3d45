// verify --layout transformers-js.
#pragma once

#include "fastvlm/clients/check_layout_graphs.h"

namespace fastvlm::clients {

// Its files, the graphs of each variant that is there, external data as config.json announces them, and configs that fit the graphs.
void check_transformers_js(LayoutCheck& check);

}  // namespace fastvlm::clients
