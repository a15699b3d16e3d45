// What QNN needs done in child processes: the rows that a program adds to its table of workers.
#pragma once

#include <span>

#include "fastvlm/process/worker.h"

namespace fastvlm::qnn {

std::span<const Worker> workers();

}  // namespace fastvlm::qnn
