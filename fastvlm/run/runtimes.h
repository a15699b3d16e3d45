// Where the runtimes are that are loaded at run time.
#pragma once

#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// What the user told; every path may be empty. The first two may name the file or a folder that holds it.
struct RuntimeSearch {
  Path onnxruntime_library;  // --ort-library
  Path qnn_plugin;           // --qnn-plugin
  Path cache_folder;         // of `doctor --fetch`
};

struct RuntimePaths {
  Path onnxruntime_library;         // empty: not found
  std::string onnxruntime_version;  // from the file's name; empty when it tells none
  std::string onnxruntime_missing;  // when not found: one sentence on how to get it
  Path qnn_plugin;                  // empty: not found
  Path qnn_folder;                  // with libQnnHtp.so and its neighbours
  std::string qnn_version;          // empty when not fetched by us
  std::string qnn_missing;
};

// Looks at the path given, in the cache folder, beside the running program (also ../lib and ../lib/fastvlm-npu), and at last
// asks the system's loader. A path that was given and leads nowhere is an Error of wrong usage.
Result<RuntimePaths> find_runtimes(const RuntimeSearch& search);

// The paths when both the runtime (and the plug-in, if wanted) are there, else an Error with the sentence on how to get them.
Result<RuntimePaths> require_runtimes(const RuntimeSearch& search, bool with_qnn);

// "<cache>/fastvlm-npu/runtimes" from the values of XDG_CACHE_HOME and HOME (nullptr: not set); empty when neither helps.
Path default_cache_folder(const char* xdg_cache_home, const char* home);

}  // namespace fastvlm
