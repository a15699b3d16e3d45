#include "fastvlm/compile/graph_weights.h"

#include <map>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/names.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {
namespace {

// A file that the manifest does not list is read.
Result<std::string> hash_of(const Manifest& manifest, const Path& folder, const std::string& location) {
  const auto listed = manifest.files.find(npu_file(location));
  if (listed != manifest.files.end()) return listed->second.sha256;
  return sha256_of_file(folder / location);
}

}  // namespace

Result<std::string> weights_identity(const Manifest& manifest, std::span<const Path> graphs) {
  std::map<std::string, std::string> hashes;  // by location
  for (const Path& graph : graphs) {
    TRY_ASSIGN(const OnnxModel model, read_onnx(graph, {.infer_shapes = false}));
    for (const OnnxInitializer& weight : model.initializers) {
      if (!weight.external || hashes.contains(weight.external->location)) continue;
      TRY_ASSIGN(hashes[weight.external->location], hash_of(manifest, graph.parent_path(), weight.external->location));
    }
  }
  std::string text;
  for (const auto& [location, hash] : hashes) text += location + " " + hash + "\n";
  return sha256_of(text);
}

}  // namespace fastvlm
