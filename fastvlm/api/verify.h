// verify: whether an output folder is what it says and computes what the model computes.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct Work;  // work.h

struct VerifyOptions {
  std::string output_dir;
  std::string model_dir = {};  // the checkpoint it was made from; empty: without it
  std::string reference = {};  // safetensors file of expected values; empty: without
  std::string recipe = {};     // whose decoder graphs are looked at; empty: all
  std::string chip = {};       // runs the static graphs there too, emulated on x86; empty: on the CPU only
  Runtimes runtimes = {};
};

enum class Outcome { kPassed, kMissed, kNotCompared };

struct VerifyRow {
  std::string check;    // "files", "graph", "run", "forms", "golden", "npu", "checkpoint"
  std::string subject;  // the file or tensor
  Outcome outcome = Outcome::kPassed;
  std::string sentence;  // what was compared, or why it missed
};

struct VerifyReport {
  std::vector<VerifyRow> rows;
  bool passed = false;
};

// An Error only when the folder cannot be read or the work is stopped; whatever else is wrong is a row that missed.
Result<VerifyReport> verify(const VerifyOptions& options);
Result<VerifyReport> verify(const VerifyOptions& options, const Work& work);

}  // namespace fastvlm::api
