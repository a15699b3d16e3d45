// A graph in which an operator of ours stands behind values, to look at them while it runs.
#pragma once

#include <span>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// An operator that gives on what it takes; `attribute` has the value's name.
struct WatchingOperator {
  std::string domain;
  std::string name;
  std::string attribute;
};

// The model as bytes, external data where they are. Inputs and outputs stay what they are, and may be among the values. Bad input where
// a name is no value of the graph.
Result<std::string> with_watches(const Path& model, std::span<const std::string> values, const WatchingOperator& watching);

}  // namespace fastvlm
