// inspect: what a folder or file is and what it holds, for everything that we read or write. Decided by content, not by name.
#pragma once

#include <optional>

#include "fastvlm/base/json.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm {

// Files up to this size are always hashed; larger ones on request.
inline constexpr std::uint64_t kInspectHashLimit = std::uint64_t{64} << 20;

struct InspectOptions {
  Path path;
  bool tensors = false;    // list every tensor as well
  bool accuracy = false;   // of an output folder: how exactly weights are stored that are integers
  bool hashes = false;     // SHA-256 of large files too; hold an output folder against its manifest
  Path program;            // fastvlm-npu itself: the vendor's reader of contexts runs in a child, because damaged ones crash it
  RuntimeSearch runtimes;  // where that reader is
};

struct InspectReport {
  OrderedJson facts;             // "path", "kind", and what the kind has
  std::optional<Error> problem;  // the facts are true as far as they go, but something is wrong with the thing
};

// An Error when there is nothing to tell: no such path, nothing we know, unreadable.
Result<InspectReport> inspect(const InspectOptions& options);

}  // namespace fastvlm
