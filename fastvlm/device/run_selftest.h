// Runs the self-test of a bundle through the graphs of the bundle, and writes raw outputs.
#pragma once

#include "fastvlm/base/progress.h"
#include "fastvlm/device/check_bundle.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm::device {

struct SelfTestRun {
  Path bundle;
  Path results;         // a new folder
  OpenGraph open;       // given <bundle>/npu/<graph>.onnx, of which only the context is there
  BundleCheck check;    // of the bundle, before anything runs
  std::string runtime;  // what ran it, in words, for results.json
  bool force = false;   // replace results that are there
};

struct SelfTestReport {
  std::string chip;
  std::int64_t runs = 0;
  std::int64_t probes = 0;
  std::int64_t answers = 0;
  double seconds = 0;
};

// Bundles for Genie have no graphs that this program opens: their own script runs the self-test.
Status check_runs_graphs(const Path& bundle, const BundleManifest& manifest);

// Errors: a damaged bundle, a graph that does not open or run. Whether the numbers are right is for check_results().
Result<SelfTestReport> run_selftest(const SelfTestRun& run, Progress& progress);

}  // namespace fastvlm::device
