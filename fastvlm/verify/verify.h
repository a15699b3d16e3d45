// verify: whether an output folder is what it says and computes what the model computes.
#pragma once

#include <optional>

#include "fastvlm/base/progress.h"
#include "fastvlm/targets/registry.h"
#include "fastvlm/verify/compare_runners.h"

namespace fastvlm {

struct VerifyOptions {
  Path output_dir;
  std::optional<Path> model_dir;  // also compare with the checkpoint
  Path base_model;                // model that the adapter in model_dir was merged into
  std::optional<Path> reference;  // a file with expected values
  OpenGraph open_cpu;             // empty: nothing is run, which the report says
  OpenGraph open_npu;             // empty: the NPU is not compared
  std::string chip;               // that open_npu runs on
  std::string recipe;             // whose decoder graphs are looked at; empty: all
  NpuGates gates;
  Targets known_targets = fastvlm::known_targets();
};

// An Error only when the manifest cannot be read or the work is interrupted; whatever else is wrong is a row that missed.
Result<VerifyReport> verify(const VerifyOptions& options, Progress& progress);

}  // namespace fastvlm
