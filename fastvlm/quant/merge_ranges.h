// Ranges of shards put together: the bytes of the single run.
#pragma once

#include "fastvlm/quant/ranges.h"

namespace fastvlm {

// The files may be given in any order; a few of them are in memory at a time. An Error when one is of another model, of other
// pictures or questions, or in other shards than the first; when a shard is there twice; or when one is missing.
Result<Ranges> merge_ranges(std::span<const Path> shards);

// True when the file begins as a file of ranges does.
bool is_ranges_file(const Path& file);

}  // namespace fastvlm
