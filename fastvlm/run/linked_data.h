// Weights that lie behind links. ONNX Runtime refuses external data that a link leads out of the model's folder.
#pragma once

#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm {

struct LinkedData {
  std::string name;  // as the model calls it
  Path file;         // the real one
};

// All files that `model` names for its data, when one of them is a link; whatever else is in its folder does not count. Nothing for a
// model that is a link itself, which ONNX Runtime follows together with its data.
std::vector<LinkedData> linked_data(const Path& model);

// The folder in which all of them lie under the names that the model uses, or an empty path.
Path common_folder(const std::vector<LinkedData>& data);

}  // namespace fastvlm
