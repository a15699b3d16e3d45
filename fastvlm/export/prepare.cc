#include <algorithm>
#include <functional>
#include <ranges>

#include "fastvlm/author/plain_graphs.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/export/embedding_uint16.h"
#include "fastvlm/export/encodings_files.h"
#include "fastvlm/export/export.h"
#include "fastvlm/export/gelu_forms.h"
#include "fastvlm/export/manifest_of.h"
#include "fastvlm/export/model_identity.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/export/recipe_findings.h"
#include "fastvlm/export/side_files.h"
#include "fastvlm/export/write_files.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/quant/built_in_set.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

struct GraphKind {
  GraphRole role;
  GraphExtents extents;
  Dtype precision;
};

void enter(PreparedGraph& prepared, const GraphKind& kind) {
  prepared.entry = graph_entry(*prepared.graph, kind.role, kind.extents, kind.precision);
  prepared.entry.macs = macs(*prepared.graph, {{"batch_size", 1}}).value_or(0);
}

PreparedGraph prepared_graph(std::unique_ptr<Graph> graph, const GraphKind& kind, const rewrite::PipelineOptions& passes) {
  PreparedGraph prepared{.graph = std::move(graph)};
  prepared.passes = rewrite::run_passes(*prepared.graph, passes);
  enter(prepared, kind);
  return prepared;
}

void add_reference_graphs(PreparedExport& p, const Weights& weights) {
  const ReferenceGraphOptions options{.image_size = p.image_size, .dtype = p.options.dtype};
  auto add = [&](GraphRole role, std::unique_ptr<Graph> graph) {
    p.graphs.push_back(prepared_graph(std::move(graph), {.role = role, .precision = options.dtype}, p.options.passes));
  };
  add(GraphRole::kVisionEncoder, vision_encoder_graph(p.config, weights, options));
  add(GraphRole::kDecoderWithProjection, decoder_with_projection_graph(p.config, weights, options));
  add(GraphRole::kTokenEmbedder, token_embedder_graph(p.config, weights, options));
}

// The table first: it is the float32 LUT and, at float32, the initializer of the embedder and of a tied head.
void lay_out_data(PreparedExport& p) {
  p.data.place(p.embedding, "model.embed_tokens.weight", Dtype::kFloat32, kFloatTableFile);
  for (const PreparedGraph& graph : p.graphs)
    if (!graph.entry.npu()) p.data.place_graph(*graph.graph, data_file_of(graph.entry.file));
}

// A decoder that passes the limit of any named chip is cut for all of them, so that one set of graphs serves every one.
std::uint64_t part_limit(const NpuOptions& options, std::span<const ChosenChip> chips) {
  if (options.part_limit_bytes > 0) return options.part_limit_bytes;
  return std::ranges::min(chips, {}, [](const ChosenChip& c) { return c.chip->context_limit_bytes; }).chip->context_limit_bytes;
}

// Streams that come too near to the largest number of half precision.
Status plan_scales(PreparedExport& p, const Weights& weights, const Target& target) {
  const RangeOptions& o = *p.options.ranges;
  if (o.source != RangeOptions::Source::kMeasured) p.findings.push_back(built_in_warning(o.source == RangeOptions::Source::kBuiltIn));
  if (!(o.share > 0 && o.share <= 1)) return bad_option("range_share", "{}: must be above 0 and at most 1", o.share);
  if (o.source == RangeOptions::Source::kAssumed) return {};
  TRY_ASSIGN(const std::string identity, model_identity(*p.checkpoint));
  if (o.ranges.model != identity)
    return bad_input("the ranges are those of another model ({:.12}), not of {} ({:.12}); calibrate it", o.ranges.model,
                     p.options.model_dir.string(), identity);
  std::map<std::string, float> peaks;
  for (const auto& [key, range] : o.ranges.values) {
    peaks[key] = range.absmax();
    if (range.not_finite > 0)
      p.findings.push_back(fmt::format("\"{}\" was NaN or infinite {} times when calibrating", key, range.not_finite));
  }
  p.scales = plan_stream_scales(p.config, weights, target, peaks, o.share * kLargestHalf);
  std::ranges::sort(p.scales.unscaled, std::greater(), &ops::UnscaledValue::absmax);
  constexpr std::size_t kNamed = 8;
  if (p.scales.unscaled.size() > kNamed)
    p.findings.push_back(
        fmt::format("{} values come near the end of half precision and cannot be scaled; the largest are named", p.scales.unscaled.size()));
  for (const ops::UnscaledValue& value : p.scales.unscaled | std::views::take(kNamed))
    p.findings.push_back(fmt::format("\"{}\" reaches {:.4g} and cannot be scaled ({}); half precision ends at {}", value.name, value.absmax,
                                     value.why, kLargestHalf));
  return {};
}

// Graphs of several picture sizes have the same ones.
void add_gelus(const std::vector<ops::ChosenGelu>& more, std::vector<ops::ChosenGelu>& gelus) {
  for (const ops::ChosenGelu& gelu : more)
    if (std::ranges::find(gelus, gelu.name, &ops::ChosenGelu::name) == gelus.end()) gelus.push_back(gelu);
}

// Each sentence once: a recipe may be that of the tower and of the decoder.
void note_recipes(PreparedExport& p, const NpuOptions& options) {
  const std::vector<std::string> weights = weight_names(p);
  std::vector<Recipe> recipes = options.recipes;
  recipes.push_back(options.vision_recipe);
  for (const Recipe& recipe : recipes)
    for (std::string& sentence : recipe_findings(recipe, weights))
      if (std::ranges::find(p.findings, sentence) == p.findings.end()) p.findings.push_back(std::move(sentence));
}

Status add_npu_graphs(PreparedExport& p, const Weights& weights) {
  p.options.npu->gelus = gelu_forms(p.options);
  NpuOptions options = *p.options.npu;
  if (options.image_sizes.empty()) options.image_sizes = {p.image_size};
  TRY(check_npu_options(options, p.config));
  TRY(check_integer_recipes(p.options));
  TRY_ASSIGN(const auto chips, find_chips(options.known_targets, options.targets));
  if (chips.empty()) return bad_usage("static graphs are made for chips; name at least one");
  TRY(check_integer_edges(options, chips));
  if (p.options.ranges) {
    TRY(plan_scales(p, weights, *chips[0].target));
    options.scales = p.scales;
  }
  note_recipes(p, options);
  for (std::string& sentence : shortened_factors(options, chips)) p.findings.push_back(std::move(sentence));
  auto graphs = npu_graphs(p.config, weights, options, *chips[0].target, part_limit(options, chips));
  for (NpuGraph& npu : graphs) {
    const GraphKind kind{.role = npu.role, .extents = npu.extents, .precision = options.io_dtype};
    const Activations activations = activations_for(options, chips, npu);
    PreparedGraph prepared = prepared_graph(std::move(npu.graph), kind, p.options.passes);
    add_gelus(npu.gelus, p.gelus);
    if (activations == Activations::kWhole) add_float_matrix(options, prepared, p.matrices);
    if (activations != Activations::kFloat) {
      if (npu.role == GraphRole::kVision) TRY(check_convolutions(options.vision_recipe, *prepared.graph));
      TRY_ASSIGN(IntegerGraph integers, in_integers(*prepared.graph, *p.options.ranges, {activations, options.integer_edges}));
      prepared.graph = std::move(integers.graph);
      enter(prepared, kind);
      // Tower and projector are made of another float graph than that of fp16: their GELU is one node.
      if (p.options.encodings && has_decoder(npu.role))
        p.encodings.push_back({.file = encodings_file(prepared.entry.name), .tensors = std::move(integers.encodings)});
    }
    p.npu_data.place_graph(*prepared.graph, data_file_of_group(prepared.entry.group, prepared.entry.extents.recipe));
    p.graphs.push_back(std::move(prepared));
  }
  return add_encodings(p, weights, *chips[0].target, part_limit(options, chips));
}

Status write_graph_files(PreparedExport& p) {
  for (const PreparedGraph& graph : p.graphs) {
    TRY_ASSIGN(p.onnx_files[graph.entry.file], graph_file_bytes(p, graph, p.losses));
  }
  return {};
}

Status note_head(PreparedExport& p) {
  if (!p.config.text.tie_word_embeddings || p.checkpoint->find("lm_head.weight") == nullptr) return {};
  TRY_ASSIGN(bool equal, stored_head_equals_embedding(*p.checkpoint));
  if (!equal)
    p.findings.push_back(
        "lm_head.weight differs from embed_tokens although config.json says they are tied; if answers are wrong, set tie_word_embeddings "
        "to false");
  return {};
}

// The number of the decoder layer that a tensor belongs to, or -1.
std::int64_t layer_of(const std::string& name) {
  constexpr std::string_view kLayers = "model.layers.";
  return name.starts_with(kLayers) ? std::atoll(name.c_str() + kLayers.size()) : -1;
}

// Whatever is stored inside a part of the model has been used, or the graphs are not that model. What may be left: the head of
// a tied model, and layers behind the last one that the config wants.
Status check_leftovers(const PreparedExport& p, const Weights& weights) {
  for (const std::string& name : weights.leftovers())
    if (name != "lm_head.weight" && layer_of(name) < p.config.text.num_hidden_layers)
      return bad_input("{}: tensor \"{}\" is stored, but no part of the model takes it; the graphs would be another model",
                       p.options.model_dir.string(), p.checkpoint->find(name)->file_name);
  return {};
}

Status prepare(PreparedExport& p) {
  TRY_ASSIGN(p.config, read_model_config(*p.checkpoint));
  p.findings = p.config.findings;
  p.image_size = p.options.image_size.value_or(p.config.preprocessing.settings.size);
  TRY(check_image_size(p.image_size));
  if (const int own = p.config.preprocessing.settings.size; p.image_size != own)
    p.findings.push_back(fmt::format("exported for pictures of {} pixels; the checkpoint's own have {}", p.image_size, own));
  TRY(note_head(p));
  Weights weights(*p.checkpoint);
  p.embedding = weights.at("model.embed_tokens").take("weight", {p.config.text.vocab_size, p.config.text.hidden_size});
  add_reference_graphs(p, weights);
  TRY(check_leftovers(p, weights));
  if (p.options.npu) TRY(add_npu_graphs(p, weights));
  lay_out_data(p);
  return write_graph_files(p);
}

}  // namespace

Result<std::unique_ptr<PreparedExport>> prepare_graphs(const ExportOptions& options) {
  TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::open(options.model_dir, options.base_model));
  return prepare_graphs(options, std::move(checkpoint));
}

Result<std::unique_ptr<PreparedExport>> prepare_graphs(const ExportOptions& options, Checkpoint checkpoint) {
  auto prepared = std::make_unique<PreparedExport>();
  prepared->options = options;
  prepared->checkpoint = std::make_unique<Checkpoint>(std::move(checkpoint));
  try {
    TRY(prepare(*prepared));
  } catch (const ModelError& error) {
    return bad_input("{}: {}", options.model_dir.string(), error.what());
  }
  return prepared;
}

Status add_side_files(PreparedExport& p) {
  TRY_ASSIGN(SideFiles side, side_files(*p.checkpoint, p.config, p.image_size));
  p.small_files = std::move(side.bytes);
  p.made = std::move(side.made);
  p.findings.insert(p.findings.end(), side.findings.begin(), side.findings.end());
  return {};
}

Result<std::unique_ptr<PreparedExport>> prepare_export(const ExportOptions& options) {
  TRY_ASSIGN(auto prepared, prepare_graphs(options));
  TRY(add_side_files(*prepared));
  return prepared;
}

std::vector<PlannedFile> planned_files(const PreparedExport& p) {
  std::vector<PlannedFile> files;
  for (const auto& [name, bytes] : p.onnx_files) files.push_back({name, bytes.size(), "graph"});
  for (const auto& [name, bytes] : p.small_files) files.push_back({name, bytes.size(), p.made.at(name)});
  for (const auto& [name, bytes] : p.data.file_sizes()) files.push_back({name, bytes, "weights"});
  for (const auto& [name, bytes] : p.npu_data.file_sizes()) files.push_back({npu_file(name), bytes, "weights"});
  for (const PreparedEncodings& e : p.encodings) files.push_back({e.file, planned_bytes(e, p.options), "encodings"});
  files.push_back({kInt8TableFile, static_cast<std::uint64_t>(element_count(p.embedding->shape())), "weights"});
  for (const CodedTableEntry& table : coded_tables(p.graphs))
    files.push_back({table.file, static_cast<std::uint64_t>(element_count(p.embedding->shape())) * sizeof(std::uint16_t), "weights"});
  std::ranges::sort(files, {}, &PlannedFile::name);
  files.push_back({kManifestFile, planned_manifest_bytes(p, files), "manifest"});
  return files;
}

Result<std::string> graph_file_bytes(const PreparedExport& p, const PreparedGraph& graph, std::map<std::string, CastLosses>& losses) {
  const OnnxVersions versions = onnx_versions(graph.entry.activations);
  const OnnxOptions options{.opset = versions.opset, .ir_version = versions.ir, .producer_version = kVersion, .losses = &losses};
  return to_onnx(*graph.graph, graph.entry.npu() ? p.npu_data : p.data, options);
}

std::uint64_t planned_peak_memory(const PreparedExport& p) {
  std::uint64_t small = 0, largest_scales = 0;
  // Of codes in blocks the second extent counts the blocks; those of channels have no third.
  for (const PlacedWeight& placed : p.npu_data.weights())
    if (placed.weight->is_packed() && placed.weight->shape().size() > 2)
      largest_scales =
          std::max(largest_scales, static_cast<std::uint64_t>(placed.weight->row_count() * placed.weight->shape()[1]) * sizeof(float));
  for (const auto& [name, bytes] : p.onnx_files) small += bytes.size();
  for (const auto& [name, bytes] : p.small_files) small += bytes.size();
  // Measured: a base of about 40 MiB, the buffers of the writers, graphs and a tokenizer as a tree.
  // Where weights are packed, the scales of the few that are being written wait in memory.
  return (std::uint64_t{40} << 20) + writer_memory(p.options.threads) + 16 * small + 4 * largest_scales;
}

}  // namespace fastvlm
