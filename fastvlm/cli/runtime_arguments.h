// Where the optional runtimes are: options first, then the environment, which is read here and nowhere else.
#pragma once

#include "fastvlm/run/runtimes.h"

namespace CLI {
class App;
}

namespace fastvlm::cli {

// --ort-library, --qnn-plugin and --cache, with FASTVLM_NPU_ORT_LIBRARY, FASTVLM_NPU_QNN_PLUGIN and FASTVLM_NPU_CACHE behind
// them.
void add_runtime_options(CLI::App& verb, RuntimeSearch& search);

// Fills in the cache folder when neither option nor variable named one: below XDG_CACHE_HOME or HOME.
void complete_from_environment(RuntimeSearch& search);

}  // namespace fastvlm::cli
