#include "fastvlm/export/encodings_files.h"

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/quant/encodings_file.h"

namespace fastvlm {
namespace {

using OwnedGraphs = std::vector<std::unique_ptr<Graph>>;

// The static graphs as they are without a recipe: their names are those that the tools know.
OwnedGraphs float_graphs(const PreparedExport& p, const Weights& weights, const Target& target, std::uint64_t limit) {
  NpuOptions options = *p.options.npu;
  if (options.image_sizes.empty()) options.image_sizes = {p.image_size};
  options.recipes = {Recipe()};
  options.scales = p.scales;
  OwnedGraphs graphs;
  for (NpuGraph& npu : npu_graphs(p.config, weights, options, target, limit)) {
    if (!has_decoder(npu.role)) continue;
    rewrite::run_passes(*npu.graph, p.options.passes);
    graphs.push_back(std::move(npu.graph));
  }
  return graphs;
}

std::vector<const Graph*> graphs_of(const PreparedExport& p, const std::string& recipe) {
  std::vector<const Graph*> graphs;
  for (const PreparedGraph& graph : p.graphs)
    if (graph.entry.npu() && graph.entry.extents.recipe == recipe) graphs.push_back(graph.graph.get());
  return graphs;
}

EncodingsText text_of(const PreparedEncodings& encodings, const ExportOptions& options) {
  return {.version = *options.encodings, .encodings = encodings.tensors};
}

}  // namespace

std::string encodings_file(std::string_view recipe_or_graph) { return npu_file("encodings_" + std::string(recipe_or_graph) + ".json"); }

Status add_encodings(PreparedExport& p, const Weights& weights, const Target& target, std::uint64_t limit) {
  if (!p.options.encodings) return {};
  OwnedGraphs floats;
  for (const Recipe& recipe : p.options.npu->recipes) {
    if (recipe.is_float() || recipe.activations != Activations::kFloat) continue;
    if (floats.empty()) floats = float_graphs(p, weights, target, limit);
    std::vector<const Graph*> names;
    for (const auto& graph : floats) names.push_back(graph.get());
    p.encodings.push_back({.file = encodings_file(recipe.name), .tensors = block_encodings(names, graphs_of(p, recipe.name))});
  }
  for (const PreparedEncodings& encodings : p.encodings) TRY(check_version(text_of(encodings, p.options)));
  return {};
}

std::uint64_t planned_bytes(const PreparedEncodings& encodings, const ExportOptions& options) {
  return bytes_of(text_of(encodings, options));
}

Result<ManifestFile> write_encodings_file(const PreparedEncodings& encodings, const PreparedExport& p, const Path& folder,
                                          Progress& progress) {
  const auto scales = [&](const WeightPtr& weight) -> Result<std::vector<float>> {
    TRY(check_interrupt());
    const WeightPlace* place = p.npu_data.find(weight, Dtype::kFloat32);
    if (place == nullptr) return weight->read_all();
    TRY_ASSIGN(const InputFile file, InputFile::open(folder / npu_file(place->file)));
    std::vector<float> numbers(static_cast<std::size_t>(place->bytes / sizeof(float)));
    TRY(file.read_at(place->offset, std::as_writable_bytes(std::span(numbers))));
    return numbers;
  };
  TRY_ASSIGN(OutputFile file, OutputFile::create(folder / encodings.file, 0));
  Sha256 hash;
  ManifestFile written{.made = "encodings"};
  TRY(write_encodings(text_of(encodings, p.options), scales, [&](std::string_view piece) -> Status {
    TRY(file.write_at(written.bytes, as_bytes(piece)));
    hash.update(as_bytes(piece));
    written.bytes += piece.size();
    progress.advance(piece.size());
    return {};
  }));
  TRY(file.close());
  written.sha256 = hash.hex();
  return written;
}

}  // namespace fastvlm
