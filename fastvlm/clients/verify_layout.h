// verify --layout: whether a folder is what the programs want that it is for. Says what they would not: they open a wrong folder with a
// message about something else, or answer nonsense.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/targets/compiled_context.h"
#include "fastvlm/verify/report.h"

namespace fastvlm::clients {

// Rows of layouts() that verify_layouts() knows.
std::vector<std::string> verifiable_layouts();

// Files that must be there, graphs with the inputs and outputs that the program binds, external data of which every byte that a graph
// names exists, token ids and sizes that agree between the configs, the tokenizer and the graphs, and the hashes of layouts.json where
// the folder has one. Contexts are read by `reader` where it finds QNN; a row says so where it does not. An Error for a layout that is not
// known, and for a folder that is not there or whose config does not name the graphs; everything else is a row.
Result<VerifyReport> verify_layouts(const Path& folder, const std::vector<std::string>& names, const ContextQuestion& reader = {});

}  // namespace fastvlm::clients
