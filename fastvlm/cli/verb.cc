#include "fastvlm/cli/verb.h"

#include <cstdlib>

namespace fastvlm::cli {

void add_json(OptionTable& options, CommonArguments& common) { options.flag("--json", common.json, "Print JSON, for other programs"); }

void add_runtime_options(OptionTable& options, CommonArguments& common) {
  RuntimeSearch& search = common.runtimes;
  options.heading("Runtimes (doctor shows what is found without these)");
  options.path("--ort-library", search.onnxruntime_library, "libonnxruntime.so, or its folder").read_from("FASTVLM_NPU_ORT_LIBRARY");
  options.path("--qnn-plugin", search.qnn_plugin, "libonnxruntime_providers_qnn.so, or its folder").read_from("FASTVLM_NPU_QNN_PLUGIN");
  options.path("--cache", search.cache_folder, "Folder of fetched runtimes and compiled contexts; default ~/.cache/fastvlm-npu/runtimes")
      .read_from("FASTVLM_NPU_CACHE")
      .complete(Completes::kFolder);
  options.heading("");
}

void complete_from_environment(RuntimeSearch& search) {
  if (search.cache_folder.empty()) search.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
}

OptionTable common_options(CommonArguments& common) {
  OptionTable options;
  options.value("--threads", common.threads, "N", "Worker threads; default: one for each core");
  options.flag("--quiet", common.quiet, "No progress on standard error");
  return options;
}

std::string verb_footer(const VerbText& text) {
  std::string footer = text.details;
  if (!footer.empty()) footer += "\n\n";
  footer += "Example:\n";
  footer += text.examples;
  footer += "\n\nEvery verb takes --threads N (default: one for each core) and --quiet (no progress on standard error).";
  footer += "\nExit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment, 130 interrupted.";
  return footer;
}

}  // namespace fastvlm::cli
