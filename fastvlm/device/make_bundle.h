// bundle: a folder with just what one machine needs to answer questions about pictures on its NPU, and to prove that it does so rightly.
#pragma once

#include "fastvlm/base/progress.h"
#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/device/bundle_plan.h"

namespace fastvlm::device {

struct BundleReport {
  BundleManifest manifest;
  std::uint64_t bytes = 0;
};

// Whole or not at all. Files of the export are linked where the disk can, else copied. Nothing of a vendor's is in it.
// Errors: those of plan_bundle(), of compiling, of running the graphs on the CPU; contexts of two compilers or for another chip.
Result<BundleReport> make_bundle(const BundleOptions& options, Progress& progress);

// Lists the files of a bundle anew and writes bundle.json.
Status write_bundle(const Path& folder, BundleManifest& manifest);

}  // namespace fastvlm::device
