// Genie, Qualcomm's runtime for language models: a pipeline of three nodes (text encoder, image encoder, text generator), and the
// dialog that its successor GenieX reads.
#pragma once

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// genie/: a config for each node, contexts with Genie's tensor names, a picture graph that takes 16-bit pixels, the float32 table, the
// tokenizer and the parts of the prompt. One recipe, one picture size. Paths in the configs count from the folder itself, where the
// process has to be.
Status add_genie(const LayoutInput& input, LayoutFiles& files);

}  // namespace fastvlm::clients
