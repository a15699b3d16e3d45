// How much memory this process may still take.
#pragma once

#include <cstdint>

#include "fastvlm/base/files.h"

namespace fastvlm {

// Where the kernel says it; a test gives files of its own.
struct MemorySources {
  Path meminfo = "/proc/meminfo";
  Path groups = "/proc/self/cgroup";
  Path group_root = "/sys/fs/cgroup";
};

// Bytes: what the machine has available, or less where a control group (of version 1 or 2) allows less. What the page cache
// holds counts as free. UINT64_MAX where the kernel tells nothing.
std::uint64_t available_memory(const MemorySources& sources = {});

}  // namespace fastvlm
