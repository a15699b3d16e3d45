#include "fastvlm/inspect/weight_accuracy.h"

#include <algorithm>
#include <map>
#include <utility>

#include "fastvlm/base/decibels.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/inspect/stored_codes.h"
#include "fastvlm/targets/compile_load.h"

namespace fastvlm {
namespace {

using inspecting::CodedWeight;
using inspecting::FloatWeight;
using inspecting::OpenFiles;

constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 18;
constexpr std::uint64_t kHalfBytes = byte_size(Dtype::kFloat16);

struct GraphsOfRecipe {
  RecipeAccuracy accuracy;
  std::map<std::string, CodedWeight> coded;
  std::map<std::string, WeightBytes> stored;  // by place
  std::vector<std::string> order;
};

Result<std::vector<GraphsOfRecipe>> graphs_with_integers(const Path& folder, const Manifest& manifest) {
  std::vector<GraphsOfRecipe> groups;
  for (const GraphEntry& graph : manifest.graphs) {
    if (!graph.npu() || graph.weight_bits == 0 || graph.role == GraphRole::kFused) continue;
    const char* what = graph.role == GraphRole::kVision ? "vision" : "decoder";
    auto group = std::ranges::find_if(
        groups, [&](const GraphsOfRecipe& one) { return one.accuracy.graphs == what && one.accuracy.recipe == graph.recipe(); });
    if (group == groups.end()) {
      groups.push_back({.accuracy = {.graphs = what, .recipe = std::string(graph.recipe()), .weights = {}}});
      group = groups.end() - 1;
    }
    TRY_ASSIGN(const OnnxModel model, read_onnx(folder / graph.file, {.infer_shapes = false}));
    group->stored.merge(stored_weight_bytes(model));
    for (CodedWeight& coded : inspecting::coded_weights(model, folder / kNpuFolder)) group->coded.emplace(coded.name, std::move(coded));
  }
  return groups;
}

// Both as rows of the output channels, or as they lie where both lie alike.
Result<double> sqnr(const CodedWeight& coded, const FloatWeight& floats, OpenFiles& files) {
  double signal = 0, noise = 0;
  const std::int64_t step = std::max<std::int64_t>(1, kNumbersAtOnce / coded.row_size());
  std::vector<float> expected, stored;
  for (std::int64_t row = 0; row < coded.rows(); row += step) {
    TRY(check_interrupt());
    const std::int64_t end = std::min(row + step, coded.rows());
    const auto count = static_cast<std::size_t>((end - row) * coded.row_size());
    expected.resize(count), stored.resize(count);
    TRY(inspecting::read_floats(floats, {row, end, coded.is_transposed(floats)}, files, expected));
    TRY(coded.read(row, end, files, stored));
    for (std::size_t i = 0; i < count; ++i) {
      const double difference = double{stored[i]} - expected[i];
      signal += double{expected[i]} * expected[i], noise += difference * difference;
    }
  }
  return decibels(signal, noise);
}

void add_sizes(GraphsOfRecipe& group) {
  RecipeAccuracy& accuracy = group.accuracy;
  for (const auto& [place, weight] : group.stored) accuracy.bytes += weight.bytes;
  accuracy.half_bytes = accuracy.bytes;
  for (const auto& [name, coded] : group.coded) {
    WeightAccuracy row{.name = name,
                       .precision = coded.words(),
                       .bytes = coded.bytes(),
                       .half_bytes = static_cast<std::uint64_t>(coded.count()) * kHalfBytes,
                       .sqnr_db = std::nullopt};
    accuracy.half_bytes += row.half_bytes - coded.stored_bytes();
    accuracy.weights.push_back(std::move(row));
  }
}

Status measure(GraphsOfRecipe& group, const std::map<std::string, FloatWeight>& floats, OpenFiles& files) {
  RecipeAccuracy& accuracy = group.accuracy;
  for (WeightAccuracy& row : accuracy.weights) {
    const CodedWeight& coded = group.coded.at(row.name);
    if (const auto plain = floats.find(row.name); plain != floats.end() && coded.fits(plain->second)) {
      TRY_ASSIGN(row.sqnr_db, sqnr(coded, plain->second, files));
    }
  }
  std::ranges::sort(accuracy.weights, {},
                    [](const WeightAccuracy& row) { return std::pair(row.sqnr_db.value_or(kEqualDb + 1), row.name); });
  return {};
}

}  // namespace

Result<std::vector<RecipeAccuracy>> weight_accuracy(const Path& folder, const Manifest& manifest) {
  std::vector<RecipeAccuracy> all;
  TRY_ASSIGN(std::vector<GraphsOfRecipe> groups, graphs_with_integers(folder, manifest));
  if (groups.empty()) return all;
  std::map<std::string, FloatWeight> floats;
  for (const GraphEntry& graph : manifest.graphs) {
    if (graph.npu()) continue;
    TRY_ASSIGN(const OnnxModel model, read_onnx(folder / graph.file, {.infer_shapes = false}));
    for (FloatWeight& weight : inspecting::float_weights(model, folder)) floats.emplace(weight.name, std::move(weight));
  }
  OpenFiles files;
  for (GraphsOfRecipe& group : groups) {
    add_sizes(group);
    TRY(measure(group, floats, files));
    all.push_back(std::move(group.accuracy));
  }
  return all;
}

Result<std::vector<RecipeAccuracy>> recipe_sizes(const Path& folder, const Manifest& manifest) {
  TRY_ASSIGN(std::vector<GraphsOfRecipe> groups, graphs_with_integers(folder, manifest));
  std::vector<RecipeAccuracy> all;
  for (GraphsOfRecipe& group : groups) {
    add_sizes(group);
    all.push_back(std::move(group.accuracy));
  }
  return all;
}

OrderedJson to_json(const RecipeAccuracy& accuracy) {
  OrderedJson rows = OrderedJson::array();
  for (const WeightAccuracy& row : accuracy.weights) {
    rows.push_back({{"name", row.name}, {"precision", row.precision}, {"bytes", row.bytes}, {"half_bytes", row.half_bytes}});
    rows.back()["sqnr_db"] = row.sqnr_db ? OrderedJson(std::round(100 * *row.sqnr_db) / 100) : OrderedJson();
  }
  return {{"graphs", accuracy.graphs},
          {"recipe", accuracy.recipe},
          {"bytes", accuracy.bytes},
          {"half_bytes", accuracy.half_bytes},
          {"weights", std::move(rows)}};
}

}  // namespace fastvlm
