// What an export was made of and how, so that recipes can be added to it that are the ones a new export would have.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/object_reader.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

// The ranges that scales of activations and of streams come from.
struct RangesUsed {
  std::string sha256;  // of the file of ranges
  double share = 0;    // how near to the largest number of half precision a stream may come
  bool built_in = false;
  bool operator==(const RangesUsed&) const = default;
};

// About the static graphs: what their list in the manifest does not tell.
struct StaticGraphsMade {
  std::vector<std::string> targets;  // chips, in the order they were named
  bool prefill_logits = true;
  IntegerEdges integer_edges = {};     // of graphs with integer activations
  std::uint64_t part_limit_bytes = 0;  // 0: that of the chips
  std::string gelu;                    // how the forms of GELUs were chosen
  std::string encodings;               // version of the files of encodings; empty: there are none
  std::vector<std::string> recipes;    // of the decoder, as JSON, in order
  std::string vision_recipe;           // the same of tower and projector
  std::optional<RangesUsed> ranges;
  bool operator==(const StaticGraphsMade&) const = default;
};

struct MadeFrom {
  std::string model;  // a hash of names, shapes and numbers of the checkpoint
  std::optional<StaticGraphsMade> npu;
  bool operator==(const MadeFrom&) const = default;
};

// The section of a manifest, which holds it as text: only those who make more of an export read it. parse_manifest() has found it sound.
// Nothing: an older program wrote the manifest.
inline constexpr const char* kMadeFrom = "made_from";
std::optional<MadeFrom> made_from(const Manifest& manifest);
void set_made_from(const MadeFrom& made, Manifest& manifest);

OrderedJson to_json(const MadeFrom& made);
// Strictly; what is inside recipes is left to those who read recipes.
MadeFrom read_made_from(const ObjectReader& row, const Json& json);

}  // namespace fastvlm
