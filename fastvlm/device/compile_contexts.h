// Contexts that an export does not have: a graph alone, or one that gives the output of every layer.
#pragma once

#include <vector>

#include "fastvlm/base/progress.h"
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/device/bundle_plan.h"
#include "fastvlm/device/make_selftest.h"

namespace fastvlm::device {

struct CompiledContexts {
  std::vector<ContextEntry> entries;
  std::vector<ProbedGraph> probed;
  std::optional<TemporaryFolder> models;  // of the probed graphs, for as long as they are run
};

// Compiles plan.to_compile into npu/<chip>/ of `bundle`.
Result<CompiledContexts> compile_contexts(const BundlePlan& plan, const BundleOptions& options, const Path& bundle, Progress& progress);

}  // namespace fastvlm::device
