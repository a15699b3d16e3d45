// The thread that forks. For process/spawn.cc only.
#pragma once

#include <sys/types.h>

#include "fastvlm/base/result.h"

namespace fastvlm {

// Everything the child needs, made before the fork: between fork and exec nothing may allocate. The descriptors are above
// the numbers that they become.
struct Launch {
  const char* program;
  char** arguments;
  char** environment;
  const char* folder;  // or nullptr
  int input, output;   // become 0; 1 and 2
  int channel;         // becomes kChildChannel; -1: none
  int report;          // where the child writes errno when it cannot become the program
};

// The id of the new child, which is about to become the program.
Result<pid_t> fork_and_exec(const Launch& launch);

}  // namespace fastvlm
