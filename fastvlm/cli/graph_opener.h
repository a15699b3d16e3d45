// Where graphs of an output folder run: on the CPU, or on HTP.
#pragma once

#include "fastvlm/cli/verb.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm::cli {

struct GraphOpenerRequest {
  Path output_dir;
  std::string runner;  // "cpu" or "htp"
  std::string target;  // the chip, for htp
  // On the CPU: weights stay in the mapped file, shared between the graphs, instead of a rearranged copy for each.
  bool share_weights = false;
};

// Looks for the runtimes at once, opens nothing yet.
Result<OpenGraph> graph_opener(const GraphOpenerRequest& request, const CommonArguments& common);

}  // namespace fastvlm::cli
