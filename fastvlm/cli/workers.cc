#include "fastvlm/cli/workers.h"

#include "fastvlm/onnx/library_child.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::cli {

std::vector<Worker> workers() {
  std::vector<Worker> rows = {{kOnnxWorker, onnx_worker}};  // the ONNX library's checker and shape inference
  for (const Target* target : known_targets()) {
    if (target->workers == nullptr) continue;
    const std::span<const Worker> own = target->workers();
    rows.insert(rows.end(), own.begin(), own.end());
  }
  return rows;
}

}  // namespace fastvlm::cli
