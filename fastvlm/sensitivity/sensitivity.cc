#include "fastvlm/sensitivity/sensitivity.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/side_files.h"
#include "fastvlm/quant/built_in_set.h"
#include "fastvlm/quant/calibrate.h"
#include "fastvlm/sensitivity/cost_table.h"
#include "fastvlm/sensitivity/trial_runs.h"
#include "fastvlm/targets/compile_load.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

constexpr const char* kWhole = "whole";  // the recipe as it is, among those of the trials
constexpr int kMostProposals = 5;

// Enough to choose by, and the same where the last bits of sums differ.
double rounded(double cost) { return std::strtod(fmt::format("{:.3g}", cost).c_str(), nullptr); }

double in_tenths(double number) { return std::round(10 * number) / 10; }

class Measurement {
 public:
  explicit Measurement(const SensitivityOptions& options, Progress& progress) : o_(options), progress_(progress) {}

  Result<Sensitivity> measure() {
    TRY(prepare());
    TRY(export_trials());
    TRY(export_tower());
    const CutModel model(*tower_, CutDecoder(folder_, open_, length_));
    TRY(measure_bytes(model));
    TRY_ASSIGN(asked_, ask_floats(asking_, folder_, open_, progress_));
    TRY_ASSIGN(TrialRuns runs, TrialRuns::create(asked_, model));
    result_.questions = static_cast<std::int64_t>(asked_.sequences.size());
    result_.tokens = runs.tokens();
    TRY(measure_parts(runs));
    TRY_ASSIGN(result_.whole.apart, runs.whole(model, whole_));
    result_.rows = table_.rows();
    result_.whole.recipe = o_.recipe, result_.whole.vision_recipe = o_.vision_recipe;
    result_.whole.predicted = cost_of(table_.units(), std::vector<std::size_t>(table_.units().size(), 0));
    if (o_.size_bytes || o_.size_share || o_.quality) {
      TRY(propose(runs));
      settle_proposal(result_);
    }
    return std::move(result_);
  }

 private:
  Status prepare() {
    TRY_ASSIGN(TemporaryFolder work, o_.work_folder.empty() ? TemporaryFolder::create() : TemporaryFolder::create_in(o_.work_folder));
    work_.emplace(std::move(work));
    TRY_ASSIGN(const Checkpoint checkpoint, Checkpoint::open(o_.model_dir, o_.base_model));
    TRY_ASSIGN(config_, read_model_config(checkpoint));
    image_size_ = o_.image_size.value_or(config_.preprocessing.settings.size);
    TRY(prepare_questions());
    TRY_ASSIGN(const SideFiles side, side_files(checkpoint, config_, image_size_));
    const Path tokenizer_folder = work_->path() / "tokenizer";
    std::error_code failure;
    std::filesystem::create_directories(tokenizer_folder, failure);
    for (const auto& [name, bytes] : side.bytes) TRY(write_file_atomically(tokenizer_folder / name, bytes));
    TRY_ASSIGN(const Tokenizer tokenizer, Tokenizer::load(tokenizer_folder));
    const std::int64_t tokens = image_size_ / kVisionStride;
    TRY_ASSIGN(length_, longest_sequence(asking_, tokenizer, tokens * tokens));
    length_ = std::max(length_, kHeadRows + 1);
    if (length_ >= config_.text.max_position_embeddings)
      return bad_option("prompts", "picture, question and reply take {} tokens; the model has {} positions", length_,
                        config_.text.max_position_embeddings);
    parts_ = decoder_parts_of(config_.text);
    trials_ = trials_of(o_.recipe, parts_, o_.granularity);
    if (trials_.empty() && o_.vision_recipe.is_float())
      return bad_option("recipe", "{}: stores everything in half precision; there is nothing to measure", o_.recipe.name);
    return {};
  }

  Status prepare_questions() {
    asking_ = {.reply_tokens = o_.reply_tokens, .decode = o_.decode, .keep_pixels = !o_.vision_recipe.is_float()};
    if (o_.reply_tokens < 1) return bad_option("reply_tokens", "{}: must be at least 1", o_.reply_tokens);
    asking_.prompts = default_prompts();
    if (!o_.prompts.empty()) {
      TRY_ASSIGN(asking_.prompts, read_prompts(o_.prompts));
    }
    if (!o_.pictures.empty()) {
      TRY_ASSIGN(asking_.pictures, pictures_in(o_.pictures));
      return {};
    }
    TRY_ASSIGN(asking_.pictures, write_built_in_pictures(work_->path(), static_cast<int>(image_size_)));
    result_.findings.push_back(
        "measured with a few made-up pictures, whose replies are not those that matter; give `images` a folder of pictures such as the "
        "model will see");
    return {};
  }

  ExportOptions exported(const std::string& name, NpuOptions npu) const {
    return {.model_dir = o_.model_dir,
            .output_dir = work_->path() / name,
            .base_model = o_.base_model,
            .image_size = o_.image_size,
            .threads = o_.threads,
            .npu = std::move(npu),
            .gelu = GeluPolicy::kExact,
            .encodings = std::nullopt};
  }

  // A folder whose decoder is cut at every layer, with these recipes.
  Result<OutputFolder> export_cut(const std::string& name, std::vector<Recipe> recipes) const {
    NpuOptions npu{.targets = {o_.chip}, .known_targets = o_.known_targets};
    npu.prefill = {length_, kHeadRows};
    npu.context = length_ + 1;
    npu.recipes = std::move(recipes);
    npu.part_limit_bytes = 1;
    ExportOptions options = exported(name, std::move(npu));
    // Nothing is scaled for half precision here, where floats have 32 bits.
    if (o_.ranges && o_.recipe.activations != Activations::kFloat) options.ranges = RangeOptions{.ranges = *o_.ranges, .share = 1};
    TRY_ASSIGN(const ExportReport report, run_export(options, progress_));
    TRY_ASSIGN(OutputFolder folder, open_output_folder(options.output_dir));
    if (!folder.manifest.range_scales.empty())
      return bad_input("\"{}\" passes the end of half precision; layers cannot be told apart there",
                       folder.manifest.range_scales[0].largest);
    return folder;
  }

  Status export_trials() {
    std::vector<Recipe> recipes = {Recipe()};
    for (const Trial& trial : trials_) recipes.push_back(recipe_of(trial, o_.recipe, parts_));
    if (!trials_.empty()) {
      whole_.decoder = kWhole;
      recipes.push_back(o_.recipe);
      recipes.back().name = kWhole;
    }
    TRY_ASSIGN(folder_, export_cut("trials", std::move(recipes)));
    TRY_ASSIGN(open_, graph_opener({.output_dir = folder_.path, .runtimes = o_.runtimes, .threads = o_.threads, .share_weights = true}));
    return {};
  }

  Status add_tower(const std::string& name, const Recipe& recipe) {
    ExportOptions options = exported(name, {.targets = {o_.chip}, .known_targets = o_.known_targets, .vision_recipe = recipe});
    options.ranges = RangeOptions{.ranges = *o_.ranges, .share = 1};
    return tower_->add(name, std::move(options), progress_);
  }

  // In floats, and once for each trial: its pieces stand in front of the parts of the decoder.
  Status export_tower() {
    tower_.emplace(work_->path() / "tower", o_.granularity);
    if (o_.vision_recipe.is_float()) return {};
    if (!o_.ranges) return bad_option("vision_recipe", "{}: makes activations integers and needs their ranges", o_.vision_recipe.name);
    TRY_ASSIGN(const ChosenChip chip, find_chip(o_.known_targets, o_.chip));
    half_ = check_precision({&chip, 1}, Precision::kFloat16).ok();
    TRY(add_tower("", Recipe()));
    std::vector<ModelPart> pieces;
    for (const TowerPart& part : *tower_->find(""))
      pieces.push_back({.kind = PartKind::kTower, .name = part.name, .weights = part.weights});
    const std::vector<Trial> trials = trials_of(o_.vision_recipe, pieces, o_.granularity);
    if (trials.empty())
      return bad_option("vision_recipe", "{}: stores no weight as integers; there is nothing to measure", o_.vision_recipe.name);
    whole_.tower = trials.front().name;  // all pieces as the recipe has them
    for (const Trial& trial : trials) {
      TRY(add_tower(trial.name, recipe_of(trial, o_.vision_recipe, pieces)));
      trials_.push_back(trial);
    }
    parts_.insert(parts_.begin(), pieces.begin(), pieces.end());
    return {};
  }

  Result<std::uint64_t> bytes_of(const CutModel& model, const ModelRecipes& recipes) const {
    TRY_ASSIGN(const std::uint64_t all, weight_bytes_of(model, recipes));
    return all - untouched_;
  }

  // A size that cannot be is refused before anything runs.
  Status measure_bytes(const CutModel& model) {
    for (std::int64_t part = model.tower_parts(); part < model.parts() && whole_.decoder.empty(); ++part) {
      TRY_ASSIGN(const std::uint64_t bytes, stored_weight_total(*model.find("", part)));
      untouched_ += bytes;
    }
    TRY_ASSIGN(result_.float_bytes, bytes_of(model, {}));
    TRY_ASSIGN(result_.whole.bytes, bytes_of(model, whole_));
    if (o_.size_bytes) bound_.bytes = static_cast<std::uint64_t>(*o_.size_bytes);
    if (o_.size_share) bound_.bytes = static_cast<std::uint64_t>(*o_.size_share * static_cast<double>(result_.float_bytes));
    bound_.cost = o_.quality;
    return check_bytes(result_.whole.bytes, bound_);
  }

  bool is_tower(const ModelPart& part) const { return part.kind == PartKind::kTower; }
  const Recipe& recipe_for(const ModelPart& part) const { return is_tower(part) ? o_.vision_recipe : o_.recipe; }

  // What is tried in a part, measured later.
  std::vector<Tried> tries_in(std::size_t part) const {
    std::vector<Tried> tries;
    if (!is_tower(parts_[part]) && whole_.decoder.empty()) return tries;
    for (const Trial& trial : trials_)
      if (Tried one{.trial = &trial}; changes(trial, recipe_for(parts_[part]), parts_[part], one.rules)) tries.push_back(std::move(one));
    return tries;
  }

  // So that nobody waits without knowing how long.
  void tell_time(const TrialRuns& runs) {
    double seconds = 0;
    std::size_t count = 0;
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const std::size_t tries = tries_in(part).size();
      count += tries;
      seconds += static_cast<double>(tries) * runs.seconds_from(static_cast<std::int64_t>(part));
    }
    const double each = count == 0 ? 0 : seconds / static_cast<double>(count);
    const std::string all = seconds < 100 ? fmt::format("{:.0f} s", seconds) : fmt::format("{:.0f} min", seconds / 60);
    progress_.start(fmt::format("measuring, about {} ({:.2g} s each)", all, each), count);
  }

  // Whether HTP takes float weights beside activations in integers was tried for towers only.
  bool may_be_float(std::size_t part) const {
    if (!is_tower(parts_[part])) return o_.recipe.activations == Activations::kFloat;
    return half_ && tower_->find("")->at(part).largest <= RangeOptions().share * kLargestHalf;
  }

  Status measure_parts(TrialRuns& runs) {
    tell_time(runs);
    for (std::size_t part = 0; part < parts_.size(); ++part) {
      const auto index = static_cast<std::int64_t>(part);
      PartFound found{.part = parts_[part], .recipe = recipe_for(parts_[part]), .may_be_float = may_be_float(part)};
      if (is_tower(parts_[part]) || !whole_.decoder.empty()) {
        TRY_ASSIGN(found.float_bytes, stored_weight_total(*runs.model().find("", index)));
      }
      for (Tried& one : tries_in(part)) {
        progress_.advance(1);
        const auto graph = runs.model().find(one.trial->name, index);
        FASTVLM_ASSERT(graph, "a graph for each trial");
        TRY_ASSIGN(const std::uint64_t bytes, stored_weight_total(*graph));
        one.saved = static_cast<std::int64_t>(found.float_bytes) - static_cast<std::int64_t>(bytes);
        if (one.saved <= 0 && !one.trial->activations_only && !is_tower(parts_[part])) continue;  // rows that no block fits
        TRY_ASSIGN(one.apart, runs.replace(*graph));
        one.apart.kl = rounded(one.apart.kl), one.apart.snr_db = in_tenths(one.apart.snr_db);
        if (one.apart.features_db) one.apart.features_db = in_tenths(*one.apart.features_db);
        found.tried.push_back(std::move(one));
      }
      table_.add(found);
      TRY(runs.advance());
    }
    return {};
  }

  Status propose(const TrialRuns& runs) {
    Bound bound = bound_;
    for (int i = 0; i < kMostProposals; ++i) {
      TRY_ASSIGN(const std::vector<std::size_t> chosen, choose(table_.units(), bound));
      TRY_ASSIGN(result_.proposal, measured(runs, chosen, i));
      const double kl = result_.proposal->apart.kl;
      if (!o_.quality || kl <= *o_.quality) return {};
      *bound.cost *= 0.9 * *o_.quality / kl;  // costs did not quite add up
    }
    result_.findings.push_back(
        fmt::format("the proposal is measured at {:.3g} and misses `quality`; ask for less", result_.proposal->apart.kl));
    return {};
  }

  Result<MeasuredRecipe> measured(const TrialRuns& runs, const std::vector<std::size_t>& chosen, int number) {
    MeasuredRecipe made{.recipe = proposed(o_.recipe, table_.units(), chosen),
                        .vision_recipe = proposed(o_.vision_recipe, table_.units(), chosen, /*tower=*/true),
                        .predicted = cost_of(table_.units(), chosen)};
    const std::string name = fmt::format("proposal-{}", number);
    ModelRecipes recipes = whole_;
    OutputFolder folder = folder_;
    if (!recipes.tower.empty()) {
      recipes.tower = name;
      TRY(add_tower(name, made.vision_recipe));
    }
    if (!recipes.decoder.empty()) {
      Recipe named = made.recipe;
      named.name = kWhole;
      TRY_ASSIGN(folder, export_cut(name, {named}));
    }
    const CutModel model(*tower_, CutDecoder(folder, open_, length_));
    TRY_ASSIGN(made.bytes, bytes_of(model, recipes));
    TRY_ASSIGN(made.apart, runs.whole(model, recipes));
    std::error_code ignored;
    std::filesystem::remove_all(work_->path() / name, ignored);
    tower_->remove(name);
    return made;
  }

  const SensitivityOptions& o_;
  Progress& progress_;
  std::optional<TemporaryFolder> work_;
  ModelConfig config_;
  std::int64_t image_size_ = 0, length_ = 0;
  Asking asking_;
  std::vector<ModelPart> parts_;  // in the order of computation
  std::vector<Trial> trials_;
  OutputFolder folder_;
  std::optional<CutTower> tower_;
  bool half_ = false;   // the chip has half precision
  ModelRecipes whole_;  // names of the recipes as they are; empty: not taken apart
  OpenGraph open_;
  Asked asked_;
  std::uint64_t untouched_ = 0;  // bytes of a decoder that is not taken apart
  Bound bound_;
  CostTable table_;
  Sensitivity result_;
};

}  // namespace

std::string names_of(const MeasuredRecipe& measured) {
  const Recipe &decoder = measured.recipe, &tower = measured.vision_recipe;
  if (tower.is_float()) return decoder.name;
  return decoder.is_float() ? tower.name : fmt::format("{} and {}", decoder.name, tower.name);
}

void settle_proposal(Sensitivity& found) {
  const MeasuredRecipe &made = *found.proposal, &start = found.whole;
  const bool same = made.recipe.rules == start.recipe.rules && made.vision_recipe.rules == start.vision_recipe.rules;
  if (same || made.bytes < start.bytes || made.apart.kl < start.apart.kl) return;
  found.findings.push_back(fmt::format(
      "what was proposed first has {} bytes and is not better than {} on these pictures and questions (KL {:.2g} per token, {:.2g} with {} "
      "bytes); the proposal is {} as it is",
      made.bytes, names_of(start), made.apart.kl, start.apart.kl, start.bytes, names_of(start)));
  found.proposal = start;
}

Result<Sensitivity> measure_sensitivity(const SensitivityOptions& options, Progress& progress) {
  return Measurement(options, progress).measure();
}

}  // namespace fastvlm
