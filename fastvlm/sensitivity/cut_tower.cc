#include "fastvlm/sensitivity/cut_tower.h"

#include <algorithm>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/graph/cut_graph.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/quant/half_nodes.h"
#include "fastvlm/quant/vision_module.h"
#include "fastvlm/session/run_graph.h"

namespace fastvlm {
namespace {

// The decoder is prepared, too, as small as it can be, and not written.
void make_small(ExportOptions& options) {
  NpuOptions& npu = *options.npu;
  npu.prefill = {1};
  npu.context = 2;
  npu.recipes = {Recipe()};
  npu.part_limit_bytes = std::uint64_t{1} << 62;
}

std::vector<std::string> weights_of(const Graph& part) {
  std::vector<std::string> names;
  for (const Node& node : part.nodes())
    if (const ValueInfo* weight = weight_of_product(part, node)) names.push_back(weight->name);
  return names;
}

double largest_of(const Graph& part, const std::optional<RangeOptions>& ranges) {
  double largest = 0;
  if (!ranges) return largest;
  for (const auto& known : extremes_of(part, ranges->ranges))
    if (known) largest = std::max({largest, -double{known->min}, double{known->max}});
  return largest;
}

}  // namespace

Status CutTower::add(const std::string& recipe, ExportOptions options, Progress& progress) {
  make_small(options);
  TRY_ASSIGN(const auto prepared, prepare_graphs(options));
  if (!prepared->scales.halvings.empty())
    return bad_input("\"{}\" passes the end of half precision; pieces cannot be told apart there",
                     prepared->scales.halvings.begin()->first);
  const auto tower = std::ranges::find(prepared->graphs, GraphRole::kVision, [](const PreparedGraph& one) { return one.entry.role; });
  FASTVLM_ASSERT(tower != prepared->graphs.end(), "a static graph of the tower");
  const Granularity granularity = granularity_;
  TRY_ASSIGN(const std::vector<GraphPart> parts, cut_graph(*tower->graph, [granularity](const Node& node) {
               const std::string piece = vision_module(module_of(node));
               return granularity == Granularity::kLayers ? vision_stage(piece) : piece;
             }));
  const Path folder = folder_ / (recipe.empty() ? std::string(kFloatRecipe) : recipe);
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  DataLayout data;
  for (const GraphPart& part : parts) data.place_graph(*part.graph, "tower.data");
  std::uint64_t bytes = 0;
  for (const auto& [name, size] : data.file_sizes()) bytes += size;
  progress.start("writing the tower", bytes, /*bytes=*/true);
  TRY(write_data_files(data, folder, {.threads = options.threads}, progress));
  const OnnxVersions versions = onnx_versions(tower->entry.activations);
  std::vector<TowerPart> written;
  for (const GraphPart& part : parts) {
    TRY_ASSIGN(const std::string file, to_onnx(*part.graph, data, {.opset = versions.opset, .ir_version = versions.ir}));
    const Path path = folder / (part.name + ".onnx");
    TRY(write_file_atomically(path, file));
    written.push_back(
        {.name = part.name, .file = path, .weights = weights_of(*part.graph), .largest = largest_of(*part.graph, options.ranges)});
  }
  parts_[recipe] = std::move(written);
  return {};
}

void CutTower::remove(const std::string& recipe) {
  std::error_code ignored;
  std::filesystem::remove_all(folder_ / recipe, ignored);
  parts_.erase(recipe);
}

const std::vector<TowerPart>* CutTower::find(const std::string& recipe) const {
  const auto found = parts_.find(recipe);
  return found == parts_.end() ? nullptr : &found->second;
}

Result<std::vector<float>> run_tower_part(Runner& part, std::span<const float> numbers) {
  TRY(check_interrupt());
  const TensorInfo& input = part.inputs().front();
  TRY_ASSIGN(const Tensor out, run_for(part, {{input.name, Tensor::of_floats(input.shape, numbers)}}, kPartOutput));
  return std::vector<float>(out.floats().begin(), out.floats().end());
}

}  // namespace fastvlm
