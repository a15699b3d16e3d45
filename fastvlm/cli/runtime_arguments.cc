#include "fastvlm/cli/runtime_arguments.h"

#include <cstdlib>

#include "fastvlm/cli/add_verb.h"

namespace fastvlm::cli {

void add_runtime_options(CLI::App& verb, RuntimeSearch& search) {
  constexpr const char* kGroup = "Runtimes (doctor shows what is found without these)";
  add_path(verb, "--ort-library", search.onnxruntime_library, "libonnxruntime.so, or its folder")
      ->envname("FASTVLM_NPU_ORT_LIBRARY")
      ->group(kGroup);
  add_path(verb, "--qnn-plugin", search.qnn_plugin, "libonnxruntime_providers_qnn.so, or its folder")
      ->envname("FASTVLM_NPU_QNN_PLUGIN")
      ->group(kGroup);
  add_path(verb, "--cache", search.cache_folder, "Folder of fetched runtimes and compiled contexts; default ~/.cache/fastvlm-npu/runtimes")
      ->envname("FASTVLM_NPU_CACHE")
      ->group(kGroup);
}

void complete_from_environment(RuntimeSearch& search) {
  if (search.cache_folder.empty()) search.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
}

}  // namespace fastvlm::cli
