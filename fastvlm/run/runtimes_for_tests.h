// The runtimes, for the tests of any folder: fetched into the user's cache on first use.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "fastvlm/run/fetch.h"
#include "fastvlm/run/ort_runtime.h"
#include "fastvlm/run/runtimes.h"

// Read by the leak sanitizer, in builds that have it: ONNX Runtime itself never frees a few bytes.
extern "C" __attribute__((used)) inline const char* __lsan_default_suppressions() { return "leak:libonnxruntime.so"; }

namespace fastvlm {

// Where the tests keep them; ends the test program with a sentence when they cannot be had.
inline RuntimePaths runtimes_for_tests() {
  RuntimeSearch search{.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))};
  auto fetched = fetch_runtimes({.cache_folder = search.cache_folder});
  auto paths = fetched.ok() ? require_runtimes(search, /*with_qnn=*/true) : Result<RuntimePaths>(fetched.error());
  if (paths.ok()) return *paths;
  std::fprintf(stderr, "the tests need the runtimes: %s\n", paths.error().message.c_str());
  std::exit(1);
}

inline std::shared_ptr<OrtRuntime> onnxruntime_for_tests() {
  auto runtime = OrtRuntime::load(runtimes_for_tests().onnxruntime_library);
  if (runtime.ok()) return *runtime;
  std::fprintf(stderr, "the tests need ONNX Runtime: %s\n", runtime.error().message.c_str());
  std::exit(1);
}

}  // namespace fastvlm
