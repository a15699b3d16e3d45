#include "fastvlm/bundle/made_from.h"

#include <algorithm>
#include <cstdint>

#include "fastvlm/base/assert.h"

namespace fastvlm {
namespace {

constexpr const char *kNone = "none", *kCacheType = "kv_dtype", *kEdgeType = "io_dtype";

std::string hash_in(const ObjectReader& row, const char* key) {
  std::string hash = row.text(key);
  const auto is_digit = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  if (!row.failed() && (hash.size() != 64 || !std::ranges::all_of(hash, is_digit)))
    row.refuse("the key \"{}\" must be a SHA-256 in 64 hexadecimal digits, but is \"{}\"", key, hash.substr(0, 80));
  return hash;
}

std::string recipe_in(const ObjectReader& row, const Json& json, const char* where) {
  if (json.is_object()) return json.dump();
  row.refuse("{} must be an object, but is {}", where, json.type_name());
  return {};
}

// Keys that stand there for codes only: an older program wrote none.
IntegerEdges read_integer_edges(const ObjectReader& row) {
  IntegerEdges edges;
  if (row.has(kCacheType)) {
    const std::string type = row.text(kCacheType);
    edges.cache = dtype_from_name(type);
    if (edges.cache != Dtype::kUint8 && edges.cache != Dtype::kUint16)
      row.refuse("the key \"{}\" must be uint8, uint16 or missing, but is \"{}\"", kCacheType, type);
  }
  if (row.has(kEdgeType)) {
    const std::string type = row.text(kEdgeType);
    edges.others = type == name(Dtype::kUint16);
    if (!edges.others) row.refuse("the key \"{}\" must be uint16 or missing, but is \"{}\"", kEdgeType, type);
  }
  return edges;
}

RangesUsed read_ranges_used(const ObjectReader& row) {
  return {.sha256 = hash_in(row, "sha256"), .share = row.number("share", 0, 1), .built_in = row.boolean("built_in")};
}

StaticGraphsMade read_npu(const ObjectReader& row, const Json& json) {
  StaticGraphsMade made{.targets = row.texts("targets"),
                        .prefill_logits = row.boolean("prefill_logits"),
                        .integer_edges = read_integer_edges(row),
                        .part_limit_bytes = static_cast<std::uint64_t>(row.integer("part_limit_bytes", 0, INT64_MAX)),
                        .gelu = row.text("gelu"),
                        .encodings = row.text("encodings")};
  if (made.encodings == kNone) made.encodings.clear();
  if (const Json* recipes = row.array("recipes"))
    for (const Json& recipe : *recipes) made.recipes.push_back(recipe_in(row, recipe, "each of \"recipes\""));
  const Json* vision = json_find(json, "vision_recipe");
  made.vision_recipe = recipe_in(row, vision == nullptr ? Json() : *vision, "\"vision_recipe\"");
  if (row.has("ranges")) made.ranges = read_ranges_used(row.object("ranges"));
  return made;
}

OrderedJson npu_json(const StaticGraphsMade& made) {
  OrderedJson recipes = OrderedJson::array();
  for (const std::string& recipe : made.recipes) recipes.push_back(OrderedJson::parse(recipe));
  OrderedJson json = {{"targets", made.targets},
                      {"prefill_logits", made.prefill_logits},
                      {"part_limit_bytes", made.part_limit_bytes},
                      {"gelu", made.gelu},
                      {"encodings", made.encodings.empty() ? kNone : made.encodings},
                      {"recipes", std::move(recipes)},
                      {"vision_recipe", OrderedJson::parse(made.vision_recipe)}};
  if (made.integer_edges.cache) json[kCacheType] = name(*made.integer_edges.cache);
  if (made.integer_edges.others) json[kEdgeType] = name(Dtype::kUint16);
  if (made.ranges) json["ranges"] = {{"sha256", made.ranges->sha256}, {"share", made.ranges->share}, {"built_in", made.ranges->built_in}};
  return json;
}

}  // namespace

std::optional<MadeFrom> made_from(const Manifest& manifest) {
  const auto section = manifest.strange.find(kMadeFrom);
  if (section == manifest.strange.end()) return std::nullopt;
  const Json json = Json::parse(section->second);
  std::optional<Error> problem;
  MadeFrom made = read_made_from(ObjectReader(json, kMadeFrom, problem), json);
  FASTVLM_ASSERT(!problem, "a section that was found sound");
  return made;
}

// Keys sorted, as they are when the section was read.
void set_made_from(const MadeFrom& made, Manifest& manifest) { manifest.strange[kMadeFrom] = Json::parse(to_json(made).dump()).dump(); }

OrderedJson to_json(const MadeFrom& made) {
  OrderedJson json = {{"model", made.model}};
  if (made.npu) json["npu"] = npu_json(*made.npu);
  return json;
}

MadeFrom read_made_from(const ObjectReader& row, const Json& json) {
  MadeFrom made{.model = hash_in(row, "model"), .npu = std::nullopt};
  if (const Json* npu = json_find(json, "npu")) made.npu = read_npu(row.object("npu"), *npu);
  return made;
}

}  // namespace fastvlm
