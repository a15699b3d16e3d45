// Results of shards put together: the bytes of the single run.
#pragma once

#include <span>

#include "fastvlm/evaluate/results.h"

namespace fastvlm {

struct MergedResults {
  ResultsHeader header;
  std::size_t shards = 0;
  std::size_t failed = 0;  // questions without an answer
};

// Writes `output` from finished results of all shards of one run, given in any order, one of them in memory at a time. Refused,
// with nothing written: another model, setting, set or number of shards; a shard that is missing, there twice or not finished.
Result<MergedResults> merge_results(std::span<const Path> shards, const Path& output);

// True when the file begins as a file of results does.
bool is_results_file(const Path& file);

}  // namespace fastvlm
