// `ExportOptions::reuse`: an earlier export whose weight files are linked where they are the same.
#pragma once

#include <vector>

#include "fastvlm/export/export.h"

namespace fastvlm {

// Refuses a folder that is no export, that this export would replace or lie in, that another version wrote, or whose weights have
// another type. Nothing where none is named.
Status check_reuse(const ExportOptions& options);

// Refuses one that has none of the planned weight files in the same size: it is of another model or of other options.
Status check_reuse(const ExportOptions& options, const std::vector<PlannedFile>& planned);

}  // namespace fastvlm
