// Where the optional runtimes are. Paths are UTF-8; an empty one means: look where `fastvlm-npu doctor` looks.
#pragma once

#include <string>

namespace fastvlm::api {

struct Runtimes {
  std::string onnxruntime_library = {};  // libonnxruntime.so, or its folder
  std::string qnn_plugin = {};           // libonnxruntime_providers_qnn.so, or its folder
  std::string cache_folder = {};         // of fetched runtimes and compiled contexts; empty: below XDG_CACHE_HOME or HOME
  std::string program = {};              // fastvlm-npu, which runs the vendor's code in child processes; empty: from PATH
};

}  // namespace fastvlm::api
