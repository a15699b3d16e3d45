// Folders that a killed run leaves: their names hold the number of the process that made them, so that the next run knows.
#pragma once

#include <span>
#include <string>

#include "fastvlm/base/files.h"

namespace fastvlm {

// "<process>" or "<process>-<count>": two folders of one process must not share a name either.
std::string process_suffix();

// Removes what lies in `parent`, is called "<prefix><process>" or "<prefix><process>-…", and is of a process that is gone.
void remove_leftovers(const Path& parent, std::span<const std::string> prefixes);

}  // namespace fastvlm
