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
#include "fastvlm/sensitivity/trial_runs.h"

namespace fastvlm {
namespace {

constexpr const char* kWhole = "whole";  // the recipe in one piece, among those of the trials
constexpr int kMostProposals = 5;

// Enough to choose by, and the same where the last bits of sums differ.
double rounded(double cost) { return std::strtod(fmt::format("{:.3g}", cost).c_str(), nullptr); }

class Measurement {
 public:
  explicit Measurement(const SensitivityOptions& options, Progress& progress) : o_(options), progress_(progress) {}

  Result<Sensitivity> measure() {
    TRY(prepare());
    TRY(export_trials());
    CutDecoder decoder(folder_, open_, length_);
    TRY(measure_bytes(decoder));
    TRY_ASSIGN(asked_, ask_floats(asking_, folder_, open_));
    TRY_ASSIGN(TrialRuns runs, TrialRuns::create(asked_, std::move(decoder)));
    result_.questions = static_cast<std::int64_t>(asked_.size());
    result_.tokens = runs.tokens();
    TRY(measure_parts(runs));
    TRY_ASSIGN(result_.whole.apart, runs.whole(runs.decoder(), kWhole));
    result_.whole.recipe = o_.recipe;
    result_.whole.predicted = cost_of(units_, std::vector<std::size_t>(units_.size(), 0));
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
    trials_ = trials_of(o_.recipe, config_.text, o_.granularity);
    if (trials_.empty())
      return bad_option("recipe", "{}: stores everything in half precision; there is nothing to measure", o_.recipe.name);
    return {};
  }

  Status prepare_questions() {
    asking_ = {.reply_tokens = o_.reply_tokens, .decode = o_.decode};
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

  // A folder whose decoder is cut at every layer, with these recipes.
  Result<OutputFolder> export_cut(const std::string& name, std::vector<Recipe> recipes) const {
    NpuOptions npu{.targets = {o_.chip}, .known_targets = o_.known_targets};
    npu.prefill = {length_, kHeadRows};
    npu.context = length_ + 1;
    npu.recipes = std::move(recipes);
    npu.part_limit_bytes = 1;
    ExportOptions options{.model_dir = o_.model_dir,
                          .output_dir = work_->path() / name,
                          .base_model = o_.base_model,
                          .image_size = o_.image_size,
                          .threads = o_.threads,
                          .npu = std::move(npu),
                          .gelu = GeluPolicy::kExact,
                          .encodings = std::nullopt};
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
    for (const Trial& trial : trials_) recipes.push_back(recipe_of(trial, o_.recipe, config_.text));
    recipes.push_back(o_.recipe);
    recipes.back().name = kWhole;
    TRY_ASSIGN(folder_, export_cut("trials", std::move(recipes)));
    TRY_ASSIGN(open_, graph_opener({.output_dir = folder_.path, .runtimes = o_.runtimes, .threads = o_.threads, .share_weights = true}));
    return {};
  }

  static Result<std::uint64_t> bytes_of_recipe(const CutDecoder& decoder, const std::string& recipe = kWhole) {
    std::uint64_t sum = 0;
    for (std::int64_t part = 0; part <= decoder.layers(); ++part) {
      TRY_ASSIGN(const std::uint64_t bytes, decoder.weight_bytes(*decoder.find(recipe, part)));
      sum += bytes;
    }
    return sum;
  }

  // A size that cannot be is refused before anything runs.
  Status measure_bytes(const CutDecoder& decoder) {
    TRY_ASSIGN(result_.float_bytes, bytes_of_recipe(decoder, ""));
    TRY_ASSIGN(result_.whole.bytes, bytes_of_recipe(decoder));
    if (o_.size_bytes) bound_.bytes = static_cast<std::uint64_t>(*o_.size_bytes);
    if (o_.size_share) bound_.bytes = static_cast<std::uint64_t>(*o_.size_share * static_cast<double>(result_.float_bytes));
    bound_.cost = o_.quality;
    return check_bytes(result_.whole.bytes, bound_);
  }

  // One trial in one layer; nothing where it stores no weight there.
  struct Tried {
    const Trial* trial = nullptr;
    std::vector<EncodingRule> rules;
    std::uint64_t saved = 0;
    Apart apart;
  };

  bool changes(const Trial& trial, std::int64_t layer, std::vector<EncodingRule>& rules) const {
    bool any = false;
    for (const std::string& weight : weights_of(trial, config_.text, layer)) {
      const auto own = encoding_of(o_.recipe, weight), now = tried(trial, o_.recipe, weight);
      any = any || (trial.encoding ? now != own : own.has_value());
      if (now != own) rules.push_back({.match = weight, .weights = now});
    }
    return any || trial.activations_only;
  }

  Status measure_parts(TrialRuns& runs) {
    const std::int64_t layers = config_.text.num_hidden_layers;
    progress_.start("measuring", trials_.size() * static_cast<std::size_t>(layers) + trials_.size());
    units_ = {StorageUnit{.choices = {StorageChoice{}}}};  // what no trial changes
    for (std::int64_t layer = 0; layer <= layers; ++layer) {
      TRY_ASSIGN(const std::uint64_t floats, runs.decoder().weight_bytes(*runs.decoder().find("", layer)));
      units_[0].choices[0].bytes += floats;
      std::vector<Tried> found;
      for (const Trial& trial : trials_) {
        progress_.advance(1);
        Tried one{.trial = &trial};
        const GraphEntry* graph = runs.decoder().find(trial.name, layer);
        if (graph == nullptr || !changes(trial, layer, one.rules)) continue;
        TRY_ASSIGN(const std::uint64_t bytes, runs.decoder().weight_bytes(*graph));
        one.saved = floats > bytes ? floats - bytes : 0;
        if (one.saved == 0 && !trial.activations_only) continue;  // rows that no block fits
        TRY_ASSIGN(one.apart, runs.replace(*graph));
        one.apart.kl = rounded(one.apart.kl), one.apart.snr_db = std::round(10 * one.apart.snr_db) / 10;
        found.push_back(std::move(one));
      }
      add_rows(layer, found);
      add_units(layer, found);
      TRY(runs.advance());
    }
    return {};
  }

  void add_rows(std::int64_t layer, const std::vector<Tried>& found) {
    const bool head = layer == config_.text.num_hidden_layers;
    for (const Tried& one : found) {
      const Trial& trial = *one.trial;
      std::string weights = trial.modules.empty() ? "all" : trial.modules[0];
      if (trial.activations_only) weights = "activations";
      if (trial.head) weights = config_.text.tie_word_embeddings ? "embed_tokens" : "lm_head";
      result_.rows.push_back({.layer = head ? "head" : fmt::format("model.layers.{}", layer),
                              .weights = std::move(weights),
                              .precision = precision_of(trial, layer),
                              .saved = one.saved,
                              .apart = one.apart});
    }
  }

  std::string precision_of(const Trial& trial, std::int64_t layer) const {
    if (trial.activations_only) return o_.recipe.activations == Activations::kWhole ? "integers" : "16 bits";
    std::string text;
    for (const std::string& weight : weights_of(trial, config_.text, layer)) {
      const std::string one = words(tried(trial, o_.recipe, weight));
      if (text.empty()) text = one;
      if (text != one) return trial.encoding ? "8 bits or as the recipe" : "as the recipe";
    }
    return text;
  }

  // A trial and its wider form stand one behind the other. What activations alone cost stays whatever is chosen.
  void add_units(std::int64_t layer, const std::vector<Tried>& found) {
    StorageChoice& rest = units_[0].choices[0];
    double activations = 0;
    for (const Tried& one : found) {
      if (one.trial->activations_only) {
        activations = one.apart.kl;
        rest.cost += activations;
        continue;
      }
      const double cost = std::max(0.0, one.apart.kl - activations);
      if (!one.trial->encoding) {
        units_.push_back({.choices = {{.cost = cost}}});
        rest.bytes -= one.saved;
        add_float(layer, one);
        continue;
      }
      std::vector<StorageChoice>& choices = units_.back().choices;
      choices.insert(choices.begin() + 1, {.rules = one.rules, .bytes = saved_by_own_ - one.saved, .cost = cost});
    }
  }

  // Whether HTP takes float weights beside activations in integers was not tried.
  void add_float(std::int64_t layer, const Tried& own) {
    saved_by_own_ = own.saved;
    if (o_.recipe.activations != Activations::kFloat) return;
    StorageChoice choice{.bytes = own.saved};
    for (const std::string& weight : weights_of(*own.trial, config_.text, layer))
      if (encoding_of(o_.recipe, weight)) choice.rules.push_back({.match = weight, .weights = std::nullopt});
    units_.back().choices.push_back(std::move(choice));
  }

  Status propose(const TrialRuns& runs) {
    Bound bound = bound_;
    for (int i = 0; i < kMostProposals; ++i) {
      TRY_ASSIGN(const std::vector<std::size_t> chosen, choose(units_, bound));
      TRY_ASSIGN(result_.proposal, measured(runs, chosen, i));
      const double kl = result_.proposal->apart.kl;
      if (!o_.quality || kl <= *o_.quality) return {};
      *bound.cost *= 0.9 * *o_.quality / kl;  // costs did not quite add up
    }
    result_.findings.push_back(
        fmt::format("the proposal is measured at {:.3g} and misses `quality`; ask for less", result_.proposal->apart.kl));
    return {};
  }

  Result<MeasuredRecipe> measured(const TrialRuns& runs, const std::vector<std::size_t>& chosen, int number) const {
    MeasuredRecipe made{.recipe = proposed(o_.recipe, units_, chosen), .predicted = cost_of(units_, chosen)};
    Recipe named = made.recipe;
    named.name = kWhole;
    const std::string name = fmt::format("proposal-{}", number);
    TRY_ASSIGN(const OutputFolder folder, export_cut(name, {named}));
    const CutDecoder decoder(folder, open_, length_);
    TRY_ASSIGN(made.bytes, bytes_of_recipe(decoder));
    TRY_ASSIGN(made.apart, runs.whole(decoder, kWhole));
    std::error_code ignored;
    std::filesystem::remove_all(folder.path, ignored);
    return made;
  }

  const SensitivityOptions& o_;
  Progress& progress_;
  std::optional<TemporaryFolder> work_;
  ModelConfig config_;
  std::int64_t image_size_ = 0, length_ = 0;
  Asking asking_;
  std::vector<Trial> trials_;
  OutputFolder folder_;
  OpenGraph open_;
  std::vector<AskedRows> asked_;
  Bound bound_;
  std::vector<StorageUnit> units_;
  std::uint64_t saved_by_own_ = 0;  // of the last unit
  Sensitivity result_;
};

}  // namespace

void settle_proposal(Sensitivity& found) {
  const MeasuredRecipe &made = *found.proposal, &start = found.whole;
  if (made.recipe.rules == start.recipe.rules || made.bytes < start.bytes || made.apart.kl < start.apart.kl) return;
  found.findings.push_back(fmt::format(
      "what was proposed first has {} bytes and is not better than {} on these pictures and questions (KL {:.2g} per token, {:.2g} with {} "
      "bytes); the proposal is {} as it is",
      made.bytes, start.recipe.name, made.apart.kl, start.apart.kl, start.bytes, start.recipe.name));
  found.proposal = start;
}

Result<Sensitivity> measure_sensitivity(const SensitivityOptions& options, Progress& progress) {
  return Measurement(options, progress).measure();
}

}  // namespace fastvlm
