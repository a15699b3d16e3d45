// The preprocessing of a folder, whichever kind it is.
#pragma once

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/image/preprocess_settings.h"

namespace fastvlm {

// Of an output folder (its manifest) or of a checkpoint folder (its config.json and the files beside it; weights are not needed).
Result<PreprocessSettings> folder_preprocessing(const Path& folder);

}  // namespace fastvlm
