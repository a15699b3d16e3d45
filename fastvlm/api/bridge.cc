#include "fastvlm/api/bridge.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

namespace fastvlm::api {

RuntimeSearch search_of(const Runtimes& runtimes) {
  RuntimeSearch search{
      .onnxruntime_library = runtimes.onnxruntime_library, .qnn_plugin = runtimes.qnn_plugin, .cache_folder = runtimes.cache_folder};
  if (search.cache_folder.empty()) search.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"));
  return search;
}

Path program_of(const Runtimes& runtimes) {
  if (!runtimes.program.empty()) return runtimes.program;
  const char* variable = std::getenv("PATH");
  std::string_view folders = variable != nullptr ? variable : "";
  while (!folders.empty()) {
    const std::string_view folder = folders.substr(0, folders.find(':'));
    const Path candidate = Path(folder) / "fastvlm-npu";
    if (!folder.empty() && ::access(candidate.c_str(), X_OK) == 0) return candidate;
    folders.remove_prefix(std::min(folders.size(), folder.size() + 1));
  }
  return {};
}

GraphOpenerOptions opener_of(const std::string& output_dir, const Runtimes& runtimes, unsigned threads) {
  const RuntimeSearch search = search_of(runtimes);
  return {.output_dir = output_dir,
          .runtimes = search,
          .program = program_of(runtimes),
          .cache_folder = search.cache_folder,
          .threads = threads};
}

Progress::Listener listener_of(const Work& work) {
  if (!work.on_progress) return nullptr;
  return [hear = work.on_progress](const ProgressEvent& event) {
    hear({.stage = std::string(event.stage), .done = event.done, .total = event.total, .bytes = event.bytes});
  };
}

}  // namespace fastvlm::api
