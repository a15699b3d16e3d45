// What the layouts with contexts have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// One picture size, one recipe, the decoder in one part with logits, float32 edges; else an Error that names the option and the layout.
Status check_chip_layout(const PreparedExport& prepared, const char* layout);

std::int64_t picture_size(const PreparedExport& prepared);

// Every id that ends a reply in chat. `tokenizer_json`: of the export.
std::vector<std::int64_t> end_tokens(std::vector<std::int64_t> eos_token_ids, const std::string& tokenizer_json);

// The decoders of the export, longest first, in one context where weights are shared, or each in its own.
// `file` of each is "<group>" or the graph's name, with nothing around it.
std::vector<LayoutContext> decoder_contexts(const LayoutInput& input);

}  // namespace fastvlm::clients
