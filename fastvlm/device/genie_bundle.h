// Bundles that Genie opens: the contexts of the decoder as they were exported, one for pictures whose pixels are 16-bit codes, and the
// files of `export --layout genie`.
#pragma once

#include "fastvlm/device/bundle_plan.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm::device {

// Contexts, table and settings of pictures. Errors: what Genie has no place for, each with what to do instead.
Status plan_genie(const BundleOptions& options, BundlePlan& plan);

// Configs, tokenizer, prompt and client below genie/.
Status write_genie_files(const BundlePlan& plan, const Path& bundle);

// The ids that end a reply, as Genie's configs name them.
Result<std::vector<std::int32_t>> genie_end_tokens(const OutputFolder& folder);

// Writes the vision graph with the codes of Genie's pixels at its door.
Status write_coded_vision(const OutputFolder& folder, const std::string& graph, const ProbedFile& file);

}  // namespace fastvlm::device
