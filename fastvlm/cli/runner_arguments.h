// --runner and --target of the verbs that run graphs.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/chat/chat.h"
#include "fastvlm/cli/verb.h"
#include "fastvlm/compile/graph_opener.h"

namespace fastvlm::cli {

// --runner is "cpu" or the runner of a target, --target a chip of it.
void add_runner_options(OptionTable& options, std::string& runner, std::string& target, std::string help);

// Names of --graphs: "detect" (static ones first), "static", "plain".
std::vector<std::string> graphs_names();
// Where the weights stay in the mapped file, shared between graphs: --prepack and the plain graphs, of which no two have the same
// weights, take rearranged copies.
Result<bool> shares_weights(const Path& output_dir, ChatGraphs graphs, bool prepack);
// What --graphs means on the CPU (no chip) or on a chip, which takes static graphs only.
Result<ChatGraphs> graphs_for(const std::string& name, const std::string& chip);

// The chip to run on, empty for the CPU. A chip that has another runner is an Error.
Result<std::string> chip_of(const std::string& runner, const std::string& target);

GraphOpenerOptions opener_options(const Path& output_dir, const std::string& chip, const CommonArguments& common);

}  // namespace fastvlm::cli
