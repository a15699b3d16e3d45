// What the system must have before Qualcomm's libraries reach an NPU.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm {

struct NpuPart {
  std::string name;  // "libcdsprpc.so"
  Path path;         // empty: not found
  std::string note;  // what to do; empty when all is well
};

// Looks below `root` ("/"; another folder in tests) for the system's library that talks to the NPU and for the device node it
// talks through. Loads and opens nothing.
std::vector<NpuPart> find_npu_parts(const Path& root);

}  // namespace fastvlm
