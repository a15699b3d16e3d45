// Ranges of shards put together: the bytes of the single run.
#pragma once

#include "fastvlm/quant/ranges.h"

namespace fastvlm {

// The files may be given in any order; a few of them are in memory at a time. An Error when one is of another model, of other
// pictures or questions, or in other shards than the first; when a shard is there twice; or when one is missing.
Result<Ranges> merge_ranges(std::span<const Path> shards);

// "part 1 of 3", where not all parts of a set of pictures are in it.
std::optional<std::string> parts_of(const Ranges& ranges);
// Refuses ranges to work with that hold only a part of their pictures, or no value.
Status check_complete(const Ranges& ranges, const Path& file);

// True when the file begins as a file of ranges does.
bool is_ranges_file(const Path& file);

}  // namespace fastvlm
