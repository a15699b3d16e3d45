#include "fastvlm/run/runtimes.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <string_view>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/process/process.h"
#include "fastvlm/run/fetch.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

// What each runtime is called on disk and to the user.
struct Names {
  RuntimeKind kind;
  std::string_view title;
  std::string_view library;      // how the file's name begins
  std::string_view loader_name;  // what the system's loader may know
  std::string_view option;
};
constexpr Names kOnnxRuntime{.kind = RuntimeKind::kOnnxRuntime,
                             .title = "ONNX Runtime",
                             .library = "libonnxruntime.so",
                             .loader_name = "libonnxruntime.so.1",
                             .option = "onnxruntime_library"};
constexpr Names kQnn{.kind = RuntimeKind::kQnn,
                     .title = "the QNN plug-in of ONNX Runtime",
                     .library = "libonnxruntime_providers_qnn.so",
                     .loader_name = "",
                     .option = "qnn_plugin"};

bool is_file(const Path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored);
}

// The library in the folder; of several versions the last in the order of their names.
Path library_in(const Path& folder, std::string_view beginning) {
  std::vector<Path> found;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored))
    if (entry.path().filename().string().starts_with(beginning) && is_file(entry.path())) found.push_back(entry.path());
  return found.empty() ? Path() : *std::max_element(found.begin(), found.end());
}

Result<Path> given_library(const Path& given, const Names& names) {
  if (is_file(given)) return fs::absolute(given);
  if (Path inside = library_in(given, names.library); !inside.empty()) return fs::absolute(inside);
  return bad_option(names.option, "{}: neither a file nor a folder with {}", given.string(), names.library);
}

Path cached_library(const Path& cache_folder, const Names& names) {
  const PinnedWheel* wheel = pinned_wheel(names.kind);
  if (cache_folder.empty() || wheel == nullptr) return {};
  Path library = runtime_folder(cache_folder, *wheel) / wheel->library;
  return is_file(library) ? library : Path();
}

Path library_beside_program(const Names& names) {
  const Path folder = own_executable().parent_path();
  for (const Path& place : {folder, folder / "../lib", folder / "../lib/fastvlm-npu"})
    if (Path library = library_in(place, names.library); !library.empty()) return library.lexically_normal();
  return {};
}

Path library_of_loader(const Names& names) {
  if (names.loader_name.empty()) return {};
  void* handle = ::dlopen(names.loader_name.data(), RTLD_LAZY | RTLD_LOCAL);
  if (handle == nullptr) return {};
  link_map* map = nullptr;
  Path path = ::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 ? Path(map->l_name) : Path();
  ::dlclose(handle);
  return path;
}

Result<Path> find_library(const Path& given, const Path& cache_folder, const Names& names) {
  if (!given.empty()) return given_library(given, names);
  if (Path library = cached_library(cache_folder, names); !library.empty()) return library;
  if (Path library = library_beside_program(names); !library.empty()) return library;
  return library_of_loader(names);
}

std::string how_to_get(const Names& names) {
  return fmt::format("{} is missing; run \"fastvlm-npu doctor --fetch\", or name the library with `{}`", names.title, names.option);
}

// "1.29.0" of libonnxruntime.so.1.29.0, through links.
std::string version_in_name(const Path& library) {
  std::error_code failure;
  Path real = fs::canonical(library, failure);
  std::string name = (failure ? library : real).filename().string();
  std::size_t position = name.find(".so.");
  return position == std::string::npos ? std::string() : name.substr(position + 4);
}

}  // namespace

Result<RuntimePaths> find_runtimes(const RuntimeSearch& search) {
  RuntimePaths paths;
  TRY_ASSIGN(paths.onnxruntime_library, find_library(search.onnxruntime_library, search.cache_folder, kOnnxRuntime));
  TRY_ASSIGN(paths.qnn_plugin, find_library(search.qnn_plugin, search.cache_folder, kQnn));
  if (paths.onnxruntime_library.empty()) {
    paths.onnxruntime_missing = how_to_get(kOnnxRuntime);
  } else {
    paths.onnxruntime_version = version_in_name(paths.onnxruntime_library);
  }
  if (paths.qnn_plugin.empty()) {
    paths.qnn_missing = how_to_get(kQnn);
  } else {
    paths.qnn_folder = paths.qnn_plugin.parent_path();
    if (paths.qnn_plugin == cached_library(search.cache_folder, kQnn)) paths.qnn_version = pinned_wheel(RuntimeKind::kQnn)->version;
  }
  return paths;
}

Result<RuntimePaths> require_runtimes(const RuntimeSearch& search, bool with_qnn) {
  TRY_ASSIGN(RuntimePaths paths, find_runtimes(search));
  if (paths.onnxruntime_library.empty()) return bad_environment("{}", paths.onnxruntime_missing);
  if (with_qnn && paths.qnn_plugin.empty()) return bad_environment("{}", paths.qnn_missing);
  return paths;
}

Path default_cache_folder(const char* xdg_cache_home, const char* home) {
  // A relative XDG_CACHE_HOME is to be ignored, says the specification.
  if (xdg_cache_home != nullptr && *xdg_cache_home == '/') return Path(xdg_cache_home) / "fastvlm-npu/runtimes";
  if (home != nullptr && *home != '\0') return Path(home) / ".cache/fastvlm-npu/runtimes";
  return {};
}

}  // namespace fastvlm
