#include "fastvlm/clients/export_layouts.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/clients/compile_contexts.h"
#include "fastvlm/graph/encoding.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"

namespace fastvlm::clients {
namespace {

struct Made {
  std::unique_ptr<PreparedExport> prepared;
  ChosenChip chip;  // of layouts with contexts
  LayoutFiles files;
  std::map<std::string, CastLosses> losses;
  std::string compiler;  // of the contexts

  // Whether a context holds several graphs; the vendor's library cannot load such a one on x86.
  bool shares_weights() const {
    return std::ranges::any_of(files.contexts, [](const LayoutContext& context) { return context.graphs.size() > 1; });
  }
};

// The chip that contexts are made for; nothing where no layout has any.
Result<ChosenChip> chip_of(const std::vector<Layout>& wanted, const ExportOptions& options) {
  const auto with_contexts = std::ranges::find(wanted, true, &Layout::has_contexts);
  if (with_contexts == wanted.end()) {
    if (options.npu) return bad_option("targets", "the layout {} is for no chip", wanted.front().name);
    return ChosenChip{};
  }
  if (!options.npu) return bad_option("targets", "the layout {} is made for a chip, such as sm8750; name one", with_contexts->name);
  TRY_ASSIGN(const auto chips, find_chips(options.npu->known_targets, options.npu->targets));
  if (chips.size() != 1)
    return bad_option("targets", "the layout {} is made for one chip; export it to another folder for the next", with_contexts->name);
  TRY(check_precision(chips, Precision::kFloat16));
  if (options.npu->vision_recipe.activations != Activations::kFloat)
    return bad_option("vision_recipe", "{}: the layout {} has no form with integer activations; leave it out",
                      options.npu->vision_recipe.name, with_contexts->name);
  for (const Recipe& recipe : options.npu->recipes)
    if (recipe.activations != Activations::kFloat)
      return bad_option("recipe", "{}: the layout {} has no form with integer activations; choose one such as w8", recipe.name,
                        with_contexts->name);
  return chips.front();
}

// Options that no wanted layout looks at.
Status check_unused(const std::vector<Layout>& wanted, const LayoutExportOptions& options) {
  if (options.model.dtype != Dtype::kFloat32)
    return bad_option("dtype", "{}: a layout is written in the numbers of `variants`, such as fp16", name(options.model.dtype));
  if (!options.share_weights && std::ranges::none_of(wanted, &Layout::has_contexts))
    return bad_option("unshared", "the layout {} has no contexts, so there is nothing to share; leave it out", wanted.front().name);
  const LayoutExportOptions left_out;
  if (options.variants != left_out.variants && std::ranges::none_of(wanted, &Layout::has_variants))
    return bad_option("variants", "{}: the layout {} is stored as `recipe` says; leave it out", fmt::join(options.variants, ","),
                      wanted.front().name);
  return {};
}

ExportOptions float_options(ExportOptions options) {
  options.dtype = Dtype::kFloat32;
  return options;
}

Result<Made> make(const LayoutExportOptions& options) {
  TRY_ASSIGN(const auto wanted, find_layouts(options.layouts));
  TRY_ASSIGN(const auto variants, find_variants(options.variants));
  TRY(check_unused(wanted, options));
  Made made;
  TRY_ASSIGN(made.chip, chip_of(wanted, options.model));
  TRY_ASSIGN(made.prepared, prepare_export(float_options(options.model)));
  const LayoutInput input{.prepared = *made.prepared,
                          .variants = variants,
                          .chip = made.chip,
                          .share_weights = options.share_weights && made.chip.chip != nullptr && made.chip.chip->weight_sharing};
  try {
    for (const Layout& layout : wanted) TRY(layout.add(input, made.files));
  } catch (const ModelError& error) {
    return bad_input("{}: {}", options.model.model_dir.string(), error.what());
  }
  for (const LayoutGraph& graph : made.files.graphs) {
    const OnnxOptions onnx{.producer_version = kVersion, .losses = &made.losses};
    TRY_ASSIGN(made.files.bytes[graph.file], to_onnx(*graph.graph, *graph.data, onnx));
  }
  return made;
}

// "onnx/" of "onnx/embed_tokens.onnx".
std::string folder_of(const std::string& file) {
  const auto slash = file.find_last_of('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

std::uint64_t table_bytes(const LayoutTable& table) {
  return static_cast<std::uint64_t>(element_count(table.weight->shape())) * byte_size(Dtype::kFloat32);
}

std::vector<PlannedFile> planned(const Made& made) {
  const LayoutFiles& files = made.files;
  std::vector<PlannedFile> all;
  for (const auto& [name, bytes] : files.bytes) all.push_back({name, bytes.size(), name.ends_with(".onnx") ? "graph" : "made"});
  for (const auto& [owner, data] : files.data_of)
    for (const auto& [name, bytes] : data->file_sizes()) all.push_back({folder_of(owner) + name, bytes, "weights"});
  for (const LayoutTable& table : files.tables) all.push_back({table.file, table_bytes(table), "weights"});
  if (files.contexts.empty()) return all;
  for (PlannedFile& file : planned_contexts(files, *made.chip.target)) all.push_back(std::move(file));
  return all;
}

Status write_small(const Path& folder, const std::string& name, const std::string& bytes, ExportReport& report) {
  std::error_code failure;
  std::filesystem::create_directories((folder / name).parent_path(), failure);
  if (failure) return bad_environment("{}: cannot make the folder ({})", (folder / name).parent_path().string(), failure.message());
  TRY(write_file_atomically(folder / name, bytes));
  report.files[name] = {.bytes = bytes.size(), .sha256 = sha256_of(bytes), .made = name.ends_with(".onnx") ? "graph" : "made"};
  return {};
}

Status write_weights(const Path& folder, Made& made, Progress& progress, ExportReport& report) {
  for (const auto& [owner, data] : made.files.data_of) {
    const std::string below = folder_of(owner);
    TRY_ASSIGN(const WrittenData written,
               write_data_files(*data, folder / below, {.threads = made.prepared->options.threads, .stop = {}}, progress));
    for (const auto& [name, file] : written.files)
      report.files[below + name] = {.bytes = file.bytes, .sha256 = file.sha256, .made = "weights"};
    for (const auto& [weight, losses] : written.losses) made.losses[weight].add(losses);
    TRY(check_interrupt());
  }
  return {};
}

Status write_tables(const Path& folder, const Made& made, Progress& progress, ExportReport& report) {
  for (const LayoutTable& table : made.files.tables) {
    const std::string below = folder_of(table.file);
    DataLayout data;
    data.place(table.weight, table.file, Dtype::kFloat32, table.file.substr(below.size()));
    TRY_ASSIGN(const WrittenData written,
               write_data_files(data, folder / below, {.threads = made.prepared->options.threads, .stop = {}}, progress));
    const WrittenFile& file = written.files.begin()->second;
    report.files[table.file] = {.bytes = file.bytes, .sha256 = file.sha256, .made = "weights"};
  }
  return {};
}

Status compile(const LayoutExportOptions& options, const Path& folder, Made& made, Progress& progress, ExportReport& report) {
  const ContextOptions how{.chip = made.chip,
                           .runtimes = options.runtimes,
                           .program = options.program,
                           .cache_folder = options.cache_folder,
                           .jobs = options.jobs,
                           .threads = options.model.threads};
  TRY_ASSIGN(const WrittenContexts written, write_contexts(made.files, folder, how, progress));
  for (const std::string& name : written.files) {
    std::error_code failure;
    TRY_ASSIGN(std::string hash, sha256_of_file(folder / name));
    report.files[name] = {.bytes = std::filesystem::file_size(folder / name, failure), .sha256 = hash, .made = "compiled"};
  }
  for (const auto& [weight, losses] : written.losses) made.losses[weight].add(losses);
  made.compiler = written.compiler;
  return {};
}

Status report_losses(const LayoutExportOptions& options, const Made& made, ExportReport& report) {
  for (const auto& [weight, loss] : made.losses) {
    if (loss.not_finite > 0 && options.model.refuse_not_finite)
      return bad_input("{}: weight \"{}\" holds {} NaN or infinite values", options.model.model_dir.string(), weight, loss.not_finite);
    if (loss.not_finite > 0) report.findings.push_back(fmt::format("weight \"{}\" holds NaN or infinite values", weight));
    if (loss.overflowed > 0) report.findings.push_back(fmt::format("weight \"{}\": values overflow float16 and became infinite", weight));
  }
  return {};
}

std::string layouts_json(const LayoutExportOptions& options, const Made& made, const ExportReport& report) {
  OrderedJson files = OrderedJson::object();
  for (const auto& [name, file] : report.files) files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  OrderedJson json = {{"fastvlm_npu", kVersion}, {"layouts", options.layouts}, {"variants", options.variants}};
  if (!made.files.contexts.empty())
    json["contexts"] = {{"target", made.chip.chip->name}, {"made_with", made.compiler}, {"loads_on_x86", !made.shares_weights()}};
  json["findings"] = report.findings;
  json["files"] = files;
  return json_file_text(json);
}

}  // namespace

Status check_layouts(const LayoutExportOptions& options) {
  TRY_ASSIGN(const auto wanted, find_layouts(options.layouts));
  TRY(find_variants(options.variants));
  TRY(check_unused(wanted, options));
  TRY_ASSIGN(const ChosenChip chip, chip_of(wanted, options.model));
  return chip.target == nullptr ? Status() : chip.target->check_compiler(options.runtimes, {});
}

Result<std::vector<PlannedFile>> plan_layouts(const LayoutExportOptions& options) {
  TRY_ASSIGN(const Made made, make(options));
  return planned(made);
}

Result<ExportReport> export_layouts(const LayoutExportOptions& options, Progress& progress) {
  const StageOptions stage{.force = options.model.force,
                           .may_replace =
                               [](const Path& folder) {
                                 std::error_code unreadable;
                                 return std::filesystem::exists(folder / kLayoutsFile, unreadable);
                               },
                           .replaceable = fmt::format("an export of a layout (a folder with {})", kLayoutsFile)};
  TRY(check_target(options.model.output_dir, stage));
  TRY_ASSIGN(Made made, make(options));
  ExportReport report{.files = {}, .findings = made.prepared->findings};
  std::uint64_t bytes = 0;
  for (const PlannedFile& file : planned(made)) bytes += file.bytes;
  TRY(check_free_space(options.model.output_dir, bytes + compile_scratch_bytes(made.files), "the export"));
  TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.model.output_dir, stage));
  for (const auto& [name, content] : made.files.bytes) TRY(write_small(staged.path(), name, content, report));
  progress.start("writing weights", bytes, /*bytes=*/true);
  TRY(write_weights(staged.path(), made, progress, report));
  TRY(write_tables(staged.path(), made, progress, report));
  TRY(compile(options, staged.path(), made, progress, report));
  TRY(report_losses(options, made, report));
  const std::string facts = layouts_json(options, made, report);
  TRY(write_small(staged.path(), kLayoutsFile, facts, report));
  TRY(check_interrupt());
  TRY(staged.commit());
  for (const auto& [name, file] : report.files) report.bytes += file.bytes;
  return report;
}

}  // namespace fastvlm::clients
