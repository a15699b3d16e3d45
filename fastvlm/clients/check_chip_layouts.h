// verify --layout for the layouts with contexts: genie, npu.
#pragma once

#include "fastvlm/clients/check_layout_graphs.h"

namespace fastvlm::clients {

// Configs that fit each other, the tokenizer, the table, the tensors of metadata.json and the contexts.
void check_genie(LayoutCheck& check);

// EPContext files with the tensors that the two clients feed, their contexts, and the chip and compiler that they are of.
void check_npu(LayoutCheck& check);

}  // namespace fastvlm::clients
