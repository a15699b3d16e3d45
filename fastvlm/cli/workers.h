// The table of workers of the program (process/worker.h): what it does in child processes of itself.
#pragma once

#include <vector>

#include "fastvlm/process/worker.h"

namespace fastvlm::cli {

std::vector<Worker> workers();

}  // namespace fastvlm::cli
