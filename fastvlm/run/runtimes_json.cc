#include "fastvlm/run/runtimes_json.h"

#include "fastvlm/base/try.h"

namespace fastvlm {

Json runtimes_to_json(const RuntimePaths& paths) {
  return {{"onnxruntime", paths.onnxruntime_library.string()},
          {"qnn_plugin", paths.qnn_plugin.string()},
          {"qnn_folder", paths.qnn_folder.string()}};
}

Result<RuntimePaths> runtimes_from_json(const Json& json, std::string_view what) {
  RuntimePaths paths;
  TRY_ASSIGN(paths.onnxruntime_library, json_string(json, "onnxruntime", what));
  TRY_ASSIGN(paths.qnn_plugin, json_string(json, "qnn_plugin", what));
  TRY_ASSIGN(paths.qnn_folder, json_string(json, "qnn_folder", what));
  return paths;
}

}  // namespace fastvlm
