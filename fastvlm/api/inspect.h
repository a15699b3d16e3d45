// inspect and doctor: what a folder or file is, and what this machine has.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/base/error.h"

namespace fastvlm::api {

struct InspectOptions {
  std::string path;
  bool tensors = false;    // list every tensor as well
  bool hashes = false;     // SHA-256 of large files too; hold an output folder against its manifest
  Runtimes runtimes = {};  // context binaries are read by the plug-in
};

struct Inspection {
  std::string kind;              // "checkpoint folder", "output folder", "ONNX model", …
  std::string facts;             // JSON text, as `fastvlm-npu inspect --json` prints it
  std::optional<Error> problem;  // the facts are true as far as they go, but something is wrong with the thing
};

// An Error when there is nothing to tell: no such path, nothing we know, unreadable.
Result<Inspection> inspect(const InspectOptions& options);

struct RuntimeHealth {
  std::string name;     // "ONNX Runtime", "QNN plug-in"
  std::string path;     // empty: not found
  std::string version;  // empty: not known
  bool loads = false;
  std::string note;  // how to get it, or why it does not load; empty when all is well
};

// Whether the optional runtimes are there and load; each is tried in a child process.
Result<std::vector<RuntimeHealth>> runtime_health(const Runtimes& runtimes);

}  // namespace fastvlm::api
