#include <fmt/format.h>

#include <charconv>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/made_from.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/print_compiled.h"
#include "fastvlm/cli/print_recipes.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/export/add_recipes.h"
#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/process/process.h"
#include "fastvlm/quant/recipe.h"
#include "fastvlm/sensitivity/sensitivity.h"

namespace fastvlm::cli {
namespace {

struct QuantizeArguments {
  bool sensitivity = false;
  Path model_dir;
  Path base_model;
  std::vector<std::string> recipes;
  Path output_dir;
  double range_share = RangeOptions().share;
  bool compile = true;
  unsigned jobs = 0;
  Path calibration;
  Path images;
  Path prompts;
  std::optional<std::int64_t> image_size;
  std::string target = "sm8750";
  std::string by = "modules";
  std::int64_t reply_tokens = SensitivityOptions().reply_tokens;
  std::uint64_t max_pixels = ImageDecodeOptions().max_pixels;
  std::string size;
  std::optional<double> quality;
  Path output;
  std::string vision_recipe = "fp16";
  Path vision_output;
  std::string name;
};

void add_options(OptionTable& options, QuantizeArguments& a, CommonArguments& common) {
  options.path("--model-dir", a.model_dir, "Checkpoint folder").complete(Completes::kFolder).set_required();
  options.path("--base-model", a.base_model, "Model that a LoRA adapter in --model-dir is merged into").complete(Completes::kFolder);
  options.list("--recipe", a.recipes, "NAME,NAME",
               "w8, w4, w8a16, w4a16, w8a16-int, or the file of a recipe; --sensitivity takes one apart, by default w4, with "
               "--vision-recipe alone none");
  options.path("--calibration", a.calibration,
               "Ranges (calibrate) or a folder of pictures, for activations in integers; default: a few made-up pictures");
  add_json(options, common);
  options.heading("More recipes for an export");
  options.path("--output-dir", a.output_dir, "Folder that export wrote: the graphs of --recipe are added").complete(Completes::kFolder);
  options.value("--range-share", a.range_share, "X", "As in export, where the folder was made without ranges")
      .show_default()
      .refuse_negative();
  options.flag("--no-compile", a.compile, "Leave the contexts of chips as they are; default: chips with contexts get new ones",
               /*given=*/false);
  options.value("--jobs", a.jobs, "N", "Contexts compiled at a time; default: as many as memory allows");
  const std::size_t first = options.rows().size();
  options.heading("What layers cost");
  options.flag("--sensitivity", a.sensitivity, "Measure what each layer of the text decoder, or of the tower, costs, and propose a recipe")
      .excludes = "--output-dir";
  options.value("--vision-recipe", a.vision_recipe, "NAME", "Takes tower and projector apart, too: w8a16 or a file of your own");
  options.choice("--by", a.by, {"modules", "layers"},
                 "Whether each matrix and each block of the tower is tried by itself, or layers and stages as a whole, which is faster");
  options.path("--images", a.images, "Pictures to ask about; default: those of --calibration, or a few made-up ones")
      .complete(Completes::kFolder);
  options.path("--prompts", a.prompts, "Questions, one a line, asked in turn; default: six general ones");
  options.value("--image-size", a.image_size, "N", "Picture side in pixels; default: the checkpoint's own");
  options.value("--target", a.target, "CHIP", "Chip whose form of the graphs is measured").complete(Completes::kChip).show_default();
  options.value("--reply-tokens", a.reply_tokens, "N", "Tokens of each answer that count, at most").show_default().refuse_negative();
  options.value("--max-pixels", a.max_pixels, "N", "Largest picture that is read").show_default();
  Option& size = options.value("--size", a.size, "BYTES|SHARE",
                               "Most bytes of the weights taken apart (340M), or as a share of half precision (0.35)");
  options.value("--quality", a.quality, "KL", "Largest mean KL divergence of a token from the float decoder, in nats").refuse_negative();
  options.path("--output", a.output, "File to write the proposed recipe to, for export --recipe");
  options.path("--vision-output", a.vision_output, "The same of tower and projector, for export --vision-recipe");
  options.value("--name", a.name, "NAME", "Name of the proposed recipe; default: <recipe>-mixed");
  size.excludes = "--quality";
  for (std::size_t row = first + 1; row < options.rows().size(); ++row) options.rows()[row].needs = "--sensitivity";
  options.heading("");
  add_runtime_options(options, common);
}

// "340M", "0.35", "356515840".
Status read_size(const std::string& text, SensitivityOptions& options) {
  if (text.empty()) return {};
  constexpr std::pair<char, double> kUnits[] = {{'k', 1e3}, {'M', 1e6}, {'G', 1e9}};
  double number = 0, unit = 1;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view rest(parsed.ptr, text.data() + text.size());
  for (const auto& [letter, factor] : kUnits)
    if (rest == std::string_view(&letter, 1)) unit = factor, rest = {};
  if (parsed.ec != std::errc() || !rest.empty() || !(number > 0))
    return bad_option("size", "{}: must be a number of bytes such as 340M, or a share of half precision such as 0.35", text);
  if (unit == 1 && number <= 1)
    options.size_share = number;
  else
    options.size_bytes = number * unit;
  return {};
}

Status check(const QuantizeArguments& a) {
  if (!a.sensitivity && a.output_dir.empty())
    return bad_usage("say what to do: --output-dir adds the recipe to an export, --sensitivity measures what layers cost");
  if (!a.sensitivity && a.recipes.empty()) return bad_usage("--recipe is required: what is added?");
  if (a.sensitivity && a.recipes.size() > 1) return bad_usage("--recipe: one is taken apart at a time");
  for (const auto& [option, file] : {std::pair("--output", &a.output), std::pair("--vision-output", &a.vision_output)})
    if (!file->empty() && a.size.empty() && !a.quality) return bad_usage("{}: for which --size or --quality?", option);
  return {};
}

Result<SensitivityOptions> options_of(const QuantizeArguments& a, const CommonArguments& common) {
  SensitivityOptions options{.model_dir = a.model_dir,
                             .base_model = a.base_model,
                             .image_size = a.image_size,
                             .chip = a.target,
                             .granularity = a.by == "layers" ? Granularity::kLayers : Granularity::kModules,
                             .pictures = a.images,
                             .prompts = a.prompts,
                             .reply_tokens = a.reply_tokens,
                             .decode = {.max_pixels = a.max_pixels},
                             .quality = a.quality,
                             .runtimes = common.runtimes,
                             .threads = common.threads};
  TRY_ASSIGN(options.vision_recipe, find_recipe(a.vision_recipe, "vision_recipe"));
  const bool decoder = options.vision_recipe.is_float() || !a.recipes.empty();
  if (decoder) {
    TRY_ASSIGN(options.recipe, find_recipe(a.recipes.empty() ? "w4" : a.recipes.front()));
  }
  if (!a.output.empty() && options.recipe.is_float()) return bad_usage("--output: the decoder is not taken apart; give --recipe");
  if (!a.vision_output.empty() && options.vision_recipe.is_float())
    return bad_usage("--vision-output: tower and projector are not taken apart; give --vision-recipe");
  TRY(read_size(a.size, options));
  std::error_code ignored;
  if (a.images.empty() && std::filesystem::is_directory(a.calibration, ignored)) options.pictures = a.calibration;
  return options;
}

Status add_ranges(const QuantizeArguments& a, const CommonArguments& common, Progress& progress, SensitivityOptions& options) {
  if (!wants_ranges({.recipes = {options.recipe}, .vision_recipe = options.vision_recipe})) return {};
  TRY_ASSIGN(options.ranges, ranges_of(a.calibration,
                                       {.model_dir = a.model_dir,
                                        .base_model = a.base_model,
                                        .image_size = a.image_size,
                                        .chip = a.target,
                                        .prompts = a.prompts,
                                        .decode = {.max_pixels = a.max_pixels},
                                        .runtimes = common.runtimes,
                                        .threads = common.threads},
                                       progress));
  return {};
}

OrderedJson measured_json(const MeasuredRecipe& measured, const Sensitivity& found) {
  OrderedJson json = {{"recipe", measured.recipe.name}};
  if (!measured.vision_recipe.is_float()) json["vision_recipe"] = measured.vision_recipe.name;
  json.update({{"bytes", measured.bytes},
               {"share", static_cast<double>(measured.bytes) / static_cast<double>(found.float_bytes)},
               {"kl", measured.apart.kl},
               {"snr_db", measured.apart.snr_db},
               {"predicted_kl", measured.predicted}});
  if (measured.apart.features_db) json["features_snr_db"] = *measured.apart.features_db;
  return json;
}

OrderedJson rules_json(const Recipe& recipe) { return OrderedJson::parse(recipe_text(recipe))["rules"]; }

OrderedJson row_json(const SensitivityRow& row) {
  OrderedJson json = {{"layer", row.layer},       {"weights", row.weights}, {"precision", row.precision},
                      {"saved_bytes", row.saved}, {"kl", row.apart.kl},     {"snr_db", row.apart.snr_db}};
  if (row.apart.features_db) json["features_snr_db"] = *row.apart.features_db;
  return json;
}

OrderedJson to_json(const Sensitivity& found) {
  OrderedJson rows = OrderedJson::array();
  for (const SensitivityRow& row : found.rows) rows.push_back(row_json(row));
  OrderedJson json = {{"questions", found.questions},
                      {"tokens", found.tokens},
                      {"float_bytes", found.float_bytes},
                      {"rows", std::move(rows)},
                      {"whole", measured_json(found.whole, found)}};
  if (found.proposal) json["proposal"] = measured_json(*found.proposal, found);
  if (found.proposal && !found.proposal->recipe.is_float()) json["proposal"]["rules"] = rules_json(found.proposal->recipe);
  if (found.proposal && !found.proposal->vision_recipe.is_float())
    json["proposal"]["vision_rules"] = rules_json(found.proposal->vision_recipe);
  json["findings"] = found.findings;
  return json;
}

std::string measured_line(const MeasuredRecipe& measured, const Sensitivity& found) {
  const auto& features = measured.apart.features_db;
  return fmt::format("{}: {}, {:.3f} of half precision; KL {:.2g} per token ({:.2g} expected), logits at {:.1f} dB{}", names_of(measured),
                     human_bytes(measured.bytes), static_cast<double>(measured.bytes) / static_cast<double>(found.float_bytes),
                     measured.apart.kl, measured.predicted, measured.apart.snr_db,
                     features ? fmt::format(", features at {:.1f} dB", *features) : "");
}

std::string signed_bytes(std::int64_t bytes) { return (bytes < 0 ? "-" : "") + human_bytes(static_cast<std::uint64_t>(std::abs(bytes))); }

void print_found(const Sensitivity& found) {
  const bool tower = !found.whole.vision_recipe.is_float();
  Rows rows = {{"layer", "weights", "precision", "saved", "KL per token", "logits"}};
  if (tower) rows[0].push_back("features");
  for (const SensitivityRow& row : found.rows) {
    rows.push_back({row.layer, row.weights, row.precision, signed_bytes(row.saved), fmt::format("{:.3g}", row.apart.kl),
                    fmt::format("{:.1f} dB", row.apart.snr_db)});
    if (tower) rows.back().push_back(row.apart.features_db ? fmt::format("{:.1f} dB", *row.apart.features_db) : "");
  }
  print_table(rows);
  for (const std::string& finding : found.findings) print_line("note: " + finding);
  print_line(fmt::format("{} questions, {} tokens; each row alone, all else in half precision of {}", found.questions, found.tokens,
                         human_bytes(found.float_bytes)));
  print_line(measured_line(found.whole, found));
  if (!found.proposal) return;
  print_line(measured_line(*found.proposal, found));
}

// ---- More recipes for an export -----------------------------------------------------------------------------------------

// Where the export had ranges they must be the same; where only a new recipe wants some, as export has it.
Status add_ranges(const QuantizeArguments& a, const CommonArguments& common, Progress& progress, const Manifest& manifest,
                  AddRecipesOptions& options) {
  std::optional<RangesUsed> used;
  std::string chip;
  if (const std::optional<MadeFrom> from = made_from(manifest); from && from->npu) {
    used = from->npu->ranges;
    if (!from->npu->targets.empty()) chip = from->npu->targets.front();
  }
  const bool wanted = wants_ranges({.recipes = options.recipes});
  const bool built_in = a.calibration.empty();
  if (chip.empty() || (built_in && (used ? !used->built_in : !wanted))) return {};
  options.ranges.emplace(RangeOptions{.share = used ? used->share : a.range_share,
                                      .source = built_in ? RangeOptions::Source::kBuiltIn : RangeOptions::Source::kMeasured});
  TRY_ASSIGN(options.ranges->ranges, ranges_of(a.calibration,
                                               {.model_dir = a.model_dir,
                                                .base_model = a.base_model,
                                                .image_size = manifest.preprocessing.settings.size,
                                                .chip = chip,
                                                .runtimes = common.runtimes,
                                                .threads = common.threads},
                                               progress));
  return {};
}

// Of the chips that had some.
Result<std::vector<CompiledTarget>> compile_again(const QuantizeArguments& a, const CommonArguments& common, const Manifest& manifest,
                                                  Progress& progress) {
  if (!a.compile || manifest.targets.empty()) return std::vector<CompiledTarget>();
  CompileOptions options{.output_dir = a.output_dir,
                         .targets = {},
                         .runtimes = common.runtimes,
                         .program = own_executable(),
                         .cache_folder = common.runtimes.cache_folder,
                         .jobs = a.jobs};
  for (const TargetEntry& target : manifest.targets) options.targets.push_back(target.chip);
  return compile_output(options, progress);
}

ExitCode run_addition(const QuantizeArguments& a, const CommonArguments& common) {
  AddRecipesOptions options{.output_dir = a.output_dir,
                            .model_dir = a.model_dir,
                            .base_model = a.base_model,
                            .recipes = {},
                            .ranges = std::nullopt,
                            .threads = common.threads};
  for (const std::string& name : a.recipes) {
    TRY_ASSIGN(options.recipes.emplace_back(), find_recipe(name));
  }
  TRY_ASSIGN(const Manifest manifest, read_manifest(a.output_dir));
  auto progress = make_progress(common.quiet || common.json);
  TRY(add_ranges(a, common, *progress, manifest, options));
  TRY_ASSIGN(const ExportReport report, add_recipes(options, *progress));
  auto compiled = compile_again(a, common, manifest, *progress);
  if (!compiled.ok()) return std::move(compiled).error().within("the graphs are written, but not compiled");
  TRY_ASSIGN(const OrderedJson sizes, recipe_sizes_json(a.output_dir));
  if (common.json) {
    print_json({{"output_dir", a.output_dir.string()},
                {"bytes", report.bytes},
                {"files", to_json(report.files)},
                {"findings", report.findings},
                {"recipes", sizes},
                {"contexts", compiled_json(*compiled)}});
    return 0;
  }
  for (const std::string& finding : report.findings) print_line("note: " + finding);
  print_line(fmt::format("{}: {} more files, {}", a.output_dir.string(), report.files.size(), human_bytes(report.bytes)));
  print_recipe_sizes(sizes, a.output_dir);
  if (!compiled->empty()) print_compiled(*compiled, false);
  return 0;
}

// ---- What layers cost ---------------------------------------------------------------------------------------------------

// Gives a proposed recipe its name and writes it where asked for; `start` is what it was made of.
Status finish_proposal(Recipe& recipe, const Recipe& start, const std::string& name, const Path& output) {
  if (start.is_float()) return {};
  const bool as_it_is = recipe.rules == start.rules;
  recipe.name = name.empty() ? start.name + "-mixed" : name;
  recipe.about = start.name + (as_it_is ? " as it is: more bits did not pay where `quantize --sensitivity` measured"
                                        : " with more bits where `quantize --sensitivity` found that they pay");
  TRY_ASSIGN(recipe, parse_recipe(recipe_text(recipe), "--name " + recipe.name));
  if (!output.empty()) TRY(write_file_atomically(output, recipe_text(recipe)));
  return {};
}

ExitCode run_sensitivity(const QuantizeArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(SensitivityOptions options, options_of(a, common));
  auto progress = make_progress(common.quiet || common.json);
  TRY(add_ranges(a, common, *progress, options));
  TRY_ASSIGN(Sensitivity found, measure_sensitivity(options, *progress));
  if (found.proposal) {
    TRY(finish_proposal(found.proposal->recipe, options.recipe, a.name, a.output));
    TRY(finish_proposal(found.proposal->vision_recipe, options.vision_recipe, a.name, a.vision_output));
  }
  if (common.json)
    print_json(to_json(found));
  else
    print_found(found);
  for (const Path* file : {&a.output, &a.vision_output})
    if (!common.json && found.proposal && !file->empty()) print_line(file->string());
  return 0;
}

ExitCode run(const QuantizeArguments& a, const CommonArguments& common) {
  TRY(check(a));
  return a.sensitivity ? run_sensitivity(a, common) : run_addition(a, common);
}

}  // namespace

Verb quantize_verb(CommonArguments& common) {
  return make_verb<QuantizeArguments>(
      {.name = "quantize",
       .group = kConvertGroup,
       .summary = "Add a recipe to an export, or find out which layers bear few bits",
       .details =
           "With --output-dir the graphs and weights of the recipe are added to an export, as if it had been made with all of them;\n"
           "the checkpoint must be the one it was made of, and where it was made with ranges, --calibration must be the same.\n"
           "With --sensitivity one matrix of the text decoder at a time is stored as the recipe says, on the CPU, and the choice of\n"
           "every token is compared with that of the float decoder along its own replies; with --vision-recipe so is one block of the\n"
           "tower, and the projector. The table is cost against bytes; with --size or --quality it proposes which weights to keep at\n"
           "8 bits or as floats, measures that recipe as a whole, and writes it for export --recipe and --vision-recipe. How long it\n"
           "will take is said before it begins. The graphs lie in a temporary folder meanwhile (TMPDIR).",
       .examples = "  fastvlm-npu quantize --output-dir out --recipe w8 --model-dir FastVLM-0.5B\n"
                   "  fastvlm-npu quantize --sensitivity --model-dir FastVLM-0.5B --recipe w4 --images pictures\n"
                   "  fastvlm-npu quantize --sensitivity --model-dir FastVLM-0.5B --images pictures --size 0.33 --output ./mine.json\n"
                   "  fastvlm-npu quantize --sensitivity --model-dir FastVLM-0.5B --vision-recipe w8a16 --calibration pictures"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
