// doctor: what this machine has of the optional runtimes, and whether they load.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/inspect/npu_parts.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm {

struct RuntimeHealth {
  std::string name;     // "ONNX Runtime", "QNN plug-in"
  Path path;            // empty: not found
  std::string version;  // empty: not known
  bool tried = false;   // to load it
  bool loads = false;
  std::string note;  // how to get it, or why it does not load; empty when all is well
};

struct DoctorReport {
  std::string machine;  // "Linux 6.1.0 x86_64"
  std::string glibc;    // "2.36"
  unsigned cores = 0;
  std::uint64_t memory_bytes = 0;
  Path cache_folder;
  std::uint64_t cache_free_bytes = 0;
  std::vector<RuntimeHealth> runtimes;  // ONNX Runtime, then the plug-in
  bool emulated = false;                // an NPU is emulated here, which needs nothing of the system
  std::vector<NpuPart> npu_parts;       // elsewhere: what the system must have for a real one
  std::vector<std::string> advice;

  bool complete() const;  // every runtime loads
};

// Both libraries are loaded in child processes of `program` (fastvlm-npu itself): a crash there is a sentence here.
Result<DoctorReport> run_doctor(const RuntimeSearch& search, const Path& program);

OrderedJson to_json(const DoctorReport& report);

}  // namespace fastvlm
