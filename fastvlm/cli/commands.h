// The verbs. Each function takes what the command line said, calls the library, prints, and returns the exit code:
// 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment, 130 interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::cli {

struct CommonArguments {
  bool json = false;
  bool quiet = false;     // no progress
  unsigned threads = 0;   // 0: one per core
  RuntimeSearch runtimes;
};

// What export, plan and compile share about the NPU.
struct NpuArguments {
  std::vector<std::string> targets;
  std::vector<std::int64_t> image_sizes;
  std::vector<std::int64_t> prefill = {128};
  std::int64_t context = 1024;
  std::string prefill_logits = "all";
  std::vector<std::string> fused;
  std::string io_dtype = "float32";
  double part_limit_gb = 0;
  unsigned jobs = 0;
  bool compile = true;  // false: write the graphs only
};

struct ExportArguments {
  Path model_dir;
  Path output_dir;
  std::optional<std::int64_t> image_size;
  std::string dtype = "float32";
  bool force = false;
  bool refuse_not_finite = false;
  NpuArguments npu;
};
int export_command(const ExportArguments& arguments, const CommonArguments& common);
int plan_command(const ExportArguments& arguments, const CommonArguments& common);

struct CompileArguments {
  Path output_dir;
  std::vector<std::string> targets;
  unsigned jobs = 0;
  bool no_cache = false;
};
int compile_command(const CompileArguments& arguments, const CommonArguments& common);

}  // namespace fastvlm::cli
