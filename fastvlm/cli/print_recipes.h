// Sizes of what is stored as integers, before and after, for export and quantize.
#pragma once

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"

namespace fastvlm::cli {

// {"graphs", "recipe", "bytes", "half_bytes"} for each recipe of an output folder that has integers.
Result<OrderedJson> recipe_sizes_json(const Path& output_dir);

// A line for each of these.
void print_recipe_sizes(const OrderedJson& sizes, const Path& output_dir);

}  // namespace fastvlm::cli
