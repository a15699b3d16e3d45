// compile: the static graphs of an output folder become context binaries for further chips.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct Work;  // work.h

struct CompileOptions {
  std::string output_dir;            // exported with targets
  std::vector<std::string> targets;  // chips, such as "sm8650"
  Runtimes runtimes = {};
  bool use_cache = true;
  unsigned jobs = 0;     // contexts compiled at a time; 0: as many as memory allows
  std::string sdk = {};  // a QAIRT SDK whose tools compile instead of the plug-in
};

struct CompiledContext {
  std::string target;
  std::string binary;  // file name in npu/<target>/
  std::uint64_t bytes = 0;
  std::vector<std::string> graphs;
  bool cached = false;  // taken from an earlier run
  double seconds = 0;
  std::uint64_t peak_memory_bytes = 0;
};

// Writes npu/<target>/, whole or not at all, and enters the files into the manifest.
Result<std::vector<CompiledContext>> compile_contexts(const CompileOptions& options);
Result<std::vector<CompiledContext>> compile_contexts(const CompileOptions& options, const Work& work);

}  // namespace fastvlm::api
