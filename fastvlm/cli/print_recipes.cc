#include "fastvlm/cli/print_recipes.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/inspect/weight_accuracy.h"

namespace fastvlm::cli {

Result<OrderedJson> recipe_sizes_json(const Path& output_dir) {
  TRY_ASSIGN(const Manifest manifest, read_manifest(output_dir));
  TRY_ASSIGN(const auto recipes, recipe_sizes(output_dir, manifest));
  OrderedJson rows = OrderedJson::array();
  for (const RecipeAccuracy& one : recipes)
    rows.push_back({{"graphs", one.graphs}, {"recipe", one.recipe}, {"bytes", one.bytes}, {"half_bytes", one.half_bytes}});
  return rows;
}

void print_recipe_sizes(const OrderedJson& sizes, const Path& output_dir) {
  for (const auto& row : sizes) {
    const auto bytes = row["bytes"].get<std::uint64_t>(), half = row["half_bytes"].get<std::uint64_t>();
    print_line(fmt::format("weights of {} {}: {} of {} in half precision ({:.3f})", row["graphs"].get<std::string>(),
                           row["recipe"].get<std::string>(), human_bytes(bytes), human_bytes(half),
                           static_cast<double>(bytes) / static_cast<double>(half)));
  }
  if (!sizes.empty()) print_line(fmt::format("fastvlm-npu inspect {} --accuracy tells how exactly each is stored", output_dir.string()));
}

}  // namespace fastvlm::cli
