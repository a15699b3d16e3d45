// Whether a bundle is what it says: every file there and unchanged, every context of the chip and the compiler that bundle.json names.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::device {

struct ContextReading {
  Path program;            // fastvlm-npu, for the child process that reads contexts
  RuntimeSearch runtimes;  // with QNN; where there is none, only the ONNX wrappers are read
};

// What a context and its wrapper say about themselves; the wrapper's note names no chip in older versions.
struct ContextFacts {
  std::string compiler;  // "v2.51.0.260929181845"
  std::optional<std::int64_t> soc_model;
};
// Facts of a wrapper and of the binary that it names; an Error also when the two disagree. Or of a binary without a wrapper, which says
// nothing where there is no QNN to read it.
Result<ContextFacts> context_facts(const Path& file, const ContextReading& reading);

// Files of a bundle that say what a context is: wrappers, or the contexts themselves where there are none.
std::vector<std::string> self_descriptions(const BundleManifest& manifest);

// One sentence about the first thing that is wrong. Hashes of gigabytes take seconds; without them sizes are compared.
struct BundleCheck {
  ContextReading reading;
  bool hashes = true;
};
Status check_bundle(const Path& folder, const BundleManifest& manifest, const BundleCheck& check);

}  // namespace fastvlm::device
