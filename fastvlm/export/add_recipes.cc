#include "fastvlm/export/add_recipes.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/made_from.h"
#include "fastvlm/export/encodings_files.h"
#include "fastvlm/export/gelu_forms.h"
#include "fastvlm/export/manifest_of.h"
#include "fastvlm/export/model_identity.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/export/write_files.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

// Extents that the list of graphs tells.
void add_extents(const Manifest& manifest, NpuOptions& npu) {
  std::set<std::int64_t> lengths;
  const std::string first = manifest.recipes().empty() ? std::string() : manifest.recipes().front();
  for (const GraphEntry& graph : manifest.graphs) {
    const GraphExtents& e = graph.extents;
    if (graph.role == GraphRole::kVision) npu.image_sizes.push_back(e.image_size);
    if (graph.role == GraphRole::kDecoder) lengths.insert(e.new_tokens), npu.context = e.context;
    if (graph.role == GraphRole::kFused && graph.recipe() == first) npu.fused.push_back({e.vision_tokens, e.text_tokens});
    if (graph.npu() && !graph.inputs.empty()) npu.io_dtype = graph.inputs.front().number_type();
  }
  npu.prefill.assign(lengths.begin(), lengths.end());
}

Status check_ranges(const StaticGraphsMade& made, const AddRecipesOptions& options) {
  if (!made.ranges) return {};
  const std::string what = options.output_dir.string();
  if (!options.ranges)
    return bad_option("calibration", "{} was exported with ranges; give the same ones, whose SHA-256 begins with {:.12}", what,
                      made.ranges->sha256);
  const RangesUsed now{.sha256 = sha256_of(ranges_text(options.ranges->ranges)),
                       .share = options.ranges->share,
                       .built_in = options.ranges->source == RangeOptions::Source::kBuiltIn};
  if (now == *made.ranges) return {};
  return bad_option(
      "calibration", "{} was exported with {} whose SHA-256 begins with {:.12}, at a share of {}; these ({:.12}, {}) are others", what,
      made.ranges->built_in ? "ranges of the built-in set" : "ranges", made.ranges->sha256, made.ranges->share, now.sha256, now.share);
}

class Addition {
 public:
  Addition(const AddRecipesOptions& options, Progress& progress) : o_(options), progress_(progress) {}

  Result<ExportReport> run() {
    TRY_ASSIGN(old_, read_manifest(o_.output_dir));
    TRY_ASSIGN(const ExportOptions options, options_with_recipes(old_, o_));
    TRY(check_integer_recipes(options));
    TRY(check_folder());
    TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::open(o_.model_dir, o_.base_model));
    TRY_ASSIGN(facts_.model, model_identity(checkpoint));
    if (facts_.model != made_from(old_)->model)
      return bad_input("{}: is another checkpoint ({:.12}) than the one that {} was exported from ({:.12})", o_.model_dir.string(),
                       facts_.model, o_.output_dir.string(), made_from(old_)->model);
    TRY_ASSIGN(prepared_, prepare_graphs(options, std::move(checkpoint)));
    TRY(check_precisions(*options.npu, prepared_->matrices));
    TRY(add_side_files(*prepared_));
    TRY(check_standing_files());
    auto report = write();
    if (!report.ok()) remove_new();
    return report;
  }

 private:
  bool stands(const std::string& file) const { return old_.files.contains(file); }

  Status check_folder() const {
    TRY_ASSIGN(const auto problems, check_manifest_files(o_.output_dir, old_, /*hashes=*/false));
    if (problems.empty()) return {};
    return bad_input("{}: {} {}; export again", o_.output_dir.string(), problems[0].file, problems[0].problem);
  }

  Status differs(const std::string& file) const {
    return bad_input("{}: an export with all these recipes has another {}; export again with --recipe {}", o_.output_dir.string(), file,
                     recipe_names());
  }

  std::string recipe_names() const {
    std::string names;
    for (const Recipe& recipe : prepared_->options.npu->recipes) names += (names.empty() ? "" : ",") + recipe.name;
    return names;
  }

  // What is there is what would be written.
  Status check_standing_files() const {
    const PreparedExport& p = *prepared_;
    for (const auto* files : {&p.onnx_files, &p.small_files})
      for (const auto& [name, bytes] : *files)
        if (stands(name) && old_.files.at(name).sha256 != sha256_of(bytes)) return differs(name);
    for (const auto& [name, bytes] : p.small_files)
      if (!stands(name)) return differs(name);
    for (const GraphEntry& graph : old_.graphs)
      if (!p.onnx_files.contains(graph.file)) return differs(graph.file);
    for (const auto& [name, bytes] : p.data.file_sizes())
      if (!stands(name) || old_.files.at(name).bytes != bytes) return differs(name);
    for (const auto& [name, bytes] : p.npu_data.file_sizes())
      if (stands(npu_file(name)) && old_.files.at(npu_file(name)).bytes != bytes) return differs(npu_file(name));
    return {};
  }

  Result<ExportReport> write() {
    PreparedExport& p = *prepared_;
    facts_.files = old_.files;
    facts_.int8 = {.file = {}, .scale = old_.embedding_int8.scale, .sqnr_db = old_.embedding_int8.sqnr_db};
    facts_.coded_tables = old_.embedding_uint16;
    for (const LossEntry& loss : old_.losses) facts_.losses[loss.weight] = loss.losses;
    TRY(add_inline_losses());
    std::uint64_t planned = 0;
    for (const PlannedFile& file : planned_files(p))
      if (!stands(file.name) && file.name != kManifestFile) new_.push_back(file.name), planned += file.bytes;
    TRY(check_free_space(o_.output_dir, planned, "the new recipes"));
    progress_.start("writing weights", planned, /*bytes=*/true);
    for (const auto& [name, bytes] : p.onnx_files)
      if (!stands(name)) TRY(write_small_file(o_.output_dir, name, bytes, "graph", facts_));
    TRY(write_weights({.data = new_data(), .folder = o_.output_dir, .npu = true}, {.threads = o_.threads}, progress_, facts_));
    TRY(write_coded_tables(p, o_.output_dir, {.threads = o_.threads}, progress_, facts_));
    for (const PreparedEncodings& encodings : p.encodings) {
      if (stands(encodings.file)) continue;
      TRY_ASSIGN(facts_.files[encodings.file], write_encodings_file(encodings, p, o_.output_dir, progress_));
    }
    TRY(report_losses(p, facts_));
    Manifest manifest = manifest_of(p, facts_);
    manifest.targets = old_.targets;
    manifest.strange.insert(old_.strange.begin(), old_.strange.end());  // but for what it was made of, which is new
    manifest.versions.onnxruntime = old_.versions.onnxruntime;
    manifest.versions.onnxruntime_qnn = old_.versions.onnxruntime_qnn;
    TRY(check_interrupt());
    TRY(write_manifest(o_.output_dir, manifest));
    return report_of(manifest);
  }

  // Only the new files.
  ExportReport report_of(const Manifest& manifest) const {
    ExportReport report{.files = {}, .findings = manifest.findings};
    for (const std::string& name : new_) {
      report.files[name] = manifest.files.at(name);
      report.bytes += report.files[name].bytes;
    }
    return report;
  }

  // The weights whose file is not there yet, at the places that they have among all.
  DataLayout new_data() const {
    DataLayout layout;
    for (const PlacedWeight& placed : prepared_->npu_data.weights())
      if (!stands(npu_file(placed.place.file))) layout.place(placed.weight, placed.name, placed.dtype, placed.place.file);
    return layout;
  }

  // Of weights that are stored inside the new graphs and inside no old one.
  Status add_inline_losses() {
    PreparedExport& p = *prepared_;
    std::map<std::string, CastLosses> before;
    for (const PreparedGraph& graph : p.graphs)
      if (stands(graph.entry.file)) {
        TRY_ASSIGN(const std::string bytes, graph_file_bytes(p, graph, before));
      }
    for (const auto& [weight, losses] : p.losses)
      if (!before.contains(weight)) facts_.losses[weight].add(losses);
    return {};
  }

  void remove_new() const {
    std::error_code ignored;
    for (const std::string& name : new_) std::filesystem::remove(o_.output_dir / name, ignored);
  }

  const AddRecipesOptions& o_;
  Progress& progress_;
  Manifest old_;
  std::unique_ptr<PreparedExport> prepared_;
  WrittenFacts facts_;
  std::vector<std::string> new_;  // files
};

}  // namespace

Result<ExportOptions> options_with_recipes(const Manifest& manifest, const AddRecipesOptions& o) {
  const std::string what = o.output_dir.string();
  if (manifest.recipes().empty()) return bad_usage("{}: has no static graphs that a recipe could be made for; export with `targets`", what);
  const std::optional<MadeFrom> from = made_from(manifest);
  if (!from || !from->npu)
    return bad_input("{}: its {} does not say what it was made of, because an earlier version wrote it; export again with all recipes",
                     what, kManifestFile);
  const StaticGraphsMade& made = *from->npu;
  TRY(check_ranges(made, o));
  NpuOptions npu{.targets = made.targets,
                 .known_targets = o.known_targets,
                 .prefill_logits = made.prefill_logits,
                 .integer_edges = made.integer_edges,
                 .part_limit_bytes = made.part_limit_bytes};
  add_extents(manifest, npu);
  const std::string where = (o.output_dir / kManifestFile).string();
  const auto gelu = gelu_policy_of(made.gelu);
  if (!gelu) return bad_input("{}: \"{}\" is no way to choose forms of GELUs", where, made.gelu);
  npu.recipes.clear();
  for (const std::string& text : made.recipes) {
    TRY_ASSIGN(npu.recipes.emplace_back(), parse_recipe(text, where));
  }
  TRY_ASSIGN(npu.vision_recipe, parse_recipe(made.vision_recipe, where));
  for (const Recipe& recipe : o.recipes) {
    if (std::ranges::find(npu.recipes, recipe.name, &Recipe::name) != npu.recipes.end())
      return bad_option("recipe", "{}: stands in {} already", recipe.name, what);
    npu.recipes.push_back(recipe);
  }
  return ExportOptions{.model_dir = o.model_dir,
                       .output_dir = o.output_dir,
                       .base_model = o.base_model,
                       .image_size = manifest.preprocessing.settings.size,
                       .dtype = manifest.dtype,
                       .threads = o.threads,
                       .npu = std::move(npu),
                       .ranges = o.ranges,
                       .gelu = *gelu,
                       .encodings = made.encodings.empty() ? std::nullopt : encodings_version(made.encodings)};
}

Result<ExportReport> add_recipes(const AddRecipesOptions& options, Progress& progress) { return Addition(options, progress).run(); }

}  // namespace fastvlm
