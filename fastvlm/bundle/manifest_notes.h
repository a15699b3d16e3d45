// Readers of what a manifest notes about how graphs were made: what casts lost, scaled streams, forms of GELUs.
#pragma once

#include <cstdint>
#include <limits>

#include "fastvlm/base/object_reader.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

inline LossEntry read_loss(const ObjectReader& row) {
  return {.weight = row.text("weight"),
          .losses = {.overflowed = row.integer("overflowed", 0, INT64_MAX),
                     .vanished = row.integer("vanished", 0, INT64_MAX),
                     .not_finite = row.integer("not_finite", 0, INT64_MAX)}};
}

inline RangeScale read_range_scale(const ObjectReader& row) {
  return {.name = row.text("name"),
          .largest = row.text("largest"),
          .absmax = row.number("absmax", 0, std::numeric_limits<float>::max()),
          .halvings = row.integer("halvings", 1, 127),
          .modules = row.texts("modules")};
}

inline GeluEntry read_gelu(const ObjectReader& row) { return {.name = row.text("name"), .form = row.text("form"), .why = row.text("why")}; }

}  // namespace fastvlm
