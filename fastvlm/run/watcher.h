// A function that is shown values of a graph while it runs.
#pragma once

#include <functional>
#include <string>

#include "fastvlm/tensor/tensor.h"

namespace fastvlm {

// The operator that shows a value and gives it on: its domain and name, and the attribute with the name that the function is told.
inline constexpr const char* kWatchDomain = "fastvlm";
inline constexpr const char* kWatchOperator = "Watch";
inline constexpr const char* kWatchedName = "name";

// Called within Runner::run, one value after the other; `seen` is borrowed for as long as the call takes.
using Watcher = std::function<void(const std::string& name, const TensorView& seen)>;

}  // namespace fastvlm
