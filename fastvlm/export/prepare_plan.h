// plan: what export would write, also where there are no weights yet.
#pragma once

#include "fastvlm/export/export.h"

namespace fastvlm {

// As prepare_export(), but a folder with a config.json and no weights will do: the tensors are those that the config asks for.
// Nothing that depends on their numbers means anything then, and a finding says so.
Result<std::unique_ptr<PreparedExport>> prepare_plan(const ExportOptions& options);

// Without any folder: a FastVLM as it was released, by the name of its size ("0.5b"). options.model_dir is not looked at.
Result<std::unique_ptr<PreparedExport>> prepare_plan_of_size(const ExportOptions& options, std::string_view size);

// The names of the sizes.
std::vector<std::string> planned_sizes();

}  // namespace fastvlm
