#include "fastvlm/device/make_bundle.h"

#include <algorithm>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/device/check_bundle.h"
#include "fastvlm/device/compile_contexts.h"
#include "fastvlm/device/genie_bundle.h"
#include "fastvlm/device/make_selftest.h"
#include "fastvlm/device/scripts.h"

namespace fastvlm::device {
namespace {

namespace fs = std::filesystem;

StageOptions stage_options(const BundleOptions& options) {
  return {.force = options.force,
          .may_replace = [](const Path& folder) { return fs::exists(folder / kBundleFile); },
          .replaceable = "a bundle"};
}

// Inside of a folder that export or bundle wrote it would be a file that its manifest does not know.
Status check_outside(const Path& folder) {
  std::error_code failure;
  const Path whole = fs::weakly_canonical(folder, failure);
  for (Path above = whole.parent_path(); above.has_relative_path(); above = above.parent_path())
    for (const char* mark : {kManifestFile, kBundleFile, kLayoutsFile})
      if (fs::exists(above / mark, failure))
        return bad_usage("{}: lies inside of {}, which has {}; choose a place outside", folder.string(), above.string(), mark);
  return {};
}

// A second name for the file where the disk has such, else a copy.
Status link_or_copy(const Path& from, const Path& to) {
  std::error_code failure;
  fs::create_directories(to.parent_path(), failure);
  fs::create_hard_link(from, to, failure);
  if (!failure) return {};
  failure.clear();
  fs::copy_file(from, to, failure);
  if (failure) return bad_environment("{}: cannot be copied to {} ({})", from.string(), to.string(), failure.message());
  return {};
}

Status link_files(const BundlePlan& plan, const Path& to, Progress& progress) {
  std::uint64_t bytes = 0;
  for (const PlannedFile& file : plan.files)
    if (!file.source.empty()) bytes += file.bytes;
  progress.start("files of the export", bytes, /*bytes=*/true);
  for (const PlannedFile& file : plan.files) {
    if (file.source.empty()) continue;
    TRY(link_or_copy(file.source, to / file.name));
    progress.advance(file.bytes);
  }
  return {};
}

// What was compiled for the bundle is another file than the export's of that name.
Status take_compiled_files(const BundlePlan& plan, const Path& to, Manifest& manifest) {
  for (const PlannedFile& file : plan.files) {
    const auto row = manifest.files.find(file.name);
    if (row == manifest.files.end() || !file.source.empty()) continue;
    TRY_ASSIGN(row->second.sha256, sha256_of_file(to / file.name));
    std::error_code failure;
    row->second.bytes = fs::file_size(to / file.name, failure);
  }
  return {};
}

// The export's manifest as far as it holds for the bundle, for programs that open the folder as one of export.
Status write_contract(const BundlePlan& plan, const std::vector<ContextEntry>& contexts, const Path& to) {
  Manifest manifest = plan.folder.manifest;
  manifest.weights.clear();
  manifest.losses.clear();
  manifest.targets = {{.chip = plan.chip.chip->name, .contexts = contexts}};
  std::erase_if(manifest.files,
                [&](const auto& row) { return std::ranges::find(plan.files, row.first, &PlannedFile::name) == plan.files.end(); });
  TRY(take_compiled_files(plan, to, manifest));
  return write_manifest(to, manifest);
}

// What every context says about itself must agree.
Status read_compiler(const BundleOptions& options, const Path& folder, BundleManifest& manifest) {
  for (const std::string& path : self_descriptions(manifest)) {
    const std::string name = Path(path).filename().string();
    auto facts = context_facts(folder / path, {.program = options.program, .runtimes = options.runtimes});
    if (!facts.ok()) return std::move(facts).error().within(name);
    if (facts->soc_model && *facts->soc_model != manifest.soc_model)
      return bad_input("{}: was compiled for SoC number {}, not for {}; run compile with `targets` {} again", name, *facts->soc_model,
                       manifest.chip, manifest.chip);
    if (!manifest.compiler.empty() && facts->compiler != manifest.compiler)
      return bad_input(
          "{}: was compiled with QAIRT {}, another context with {}; contexts of two versions do not run together, so compile "
          "all of them again with `targets` {}",
          name, facts->compiler, manifest.compiler, manifest.chip);
    manifest.compiler = facts->compiler;
  }
  return {};
}

BundleManifest facts_of(const BundlePlan& plan, const BundleOptions& options, const std::vector<ContextEntry>& contexts) {
  const Manifest& exported = plan.folder.manifest;
  const Chip& chip = *plan.chip.chip;
  BundleManifest m{.program = kVersion,
                   .chip = chip.name,
                   .architecture = chip.architecture,
                   .runtime = options.runtime,
                   .recipe = plan.folder.recipe(),
                   .onnxruntime = exported.versions.onnxruntime,
                   .onnxruntime_qnn = exported.versions.onnxruntime_qnn};
  m.soc_model = number_of(chip, "soc_model").value_or(0);
  for (const GraphEntry& graph : exported.graphs) {
    if (graph.role == GraphRole::kVision) m.image_sizes.push_back(graph.extents.image_size);
    m.context = std::max(m.context, graph.extents.context);
  }
  if (options.runtime == kGenie) m.contexts = plan.genie;
  for (const ContextEntry& context : contexts) {
    BundleContext& row = m.contexts.emplace_back(BundleContext{.binary = compiled_folder(chip.name) + context.binary});
    for (const auto& wrapped : context.graphs) row.graphs.push_back(wrapped.name);
  }
  return m;
}

Status write_scripts(const BundleManifest& manifest, const SelfTest& test, const Path& to) {
  for (const auto& [name, text] : bundle_scripts(manifest, test)) {
    TRY(write_file_atomically(to / name, text));
    std::error_code failure;
    if (name.ends_with(".sh"))
      fs::permissions(to / name, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add, failure);
  }
  return {};
}

}  // namespace

Status write_bundle(const Path& folder, BundleManifest& manifest) {
  TRY_ASSIGN(manifest.files, list_bundle_files(folder));
  return write_file_atomically(folder / kBundleFile, bundle_text(manifest));
}

Result<BundleReport> make_bundle(const BundleOptions& options, Progress& progress) {
  TRY(check_outside(options.bundle_dir));
  TRY(check_target(options.bundle_dir, stage_options(options)));
  TRY_ASSIGN(const BundlePlan plan, plan_bundle(options));
  TRY(check_free_space(options.bundle_dir, plan.total_bytes(), "the bundle"));
  TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.bundle_dir, stage_options(options)));
  const Path& to = staged.path();
  TRY(link_files(plan, to, progress));
  TRY_ASSIGN(CompiledContexts compiled, compile_contexts(plan, options, to, progress));
  std::vector<ContextEntry> contexts = plan.contexts;
  contexts.insert(contexts.end(), compiled.entries.begin(), compiled.entries.end());
  const bool genie = options.runtime == kGenie;
  TRY(genie ? write_genie_files(plan, to) : write_contract(plan, contexts, to));
  SelfTestRequest request{.folder = plan.folder,
                          .open = options.open_cpu,
                          .chip = plan.chip.chip->name,
                          .pictures = options.pictures,
                          .question = options.question,
                          .rows = options.answer_rows,
                          .probed = compiled.probed,
                          .answers_only = genie};
  if (genie) {
    TRY_ASSIGN(request.end_tokens, genie_end_tokens(plan.folder));
  }
  TRY_ASSIGN(const SelfTest test, make_selftest(request, to, progress));
  BundleReport report{.manifest = facts_of(plan, options, contexts)};
  // The scripts hold sizes and hashes of all other files.
  TRY_ASSIGN(report.manifest.files, list_bundle_files(to));
  TRY(read_compiler(options, to, report.manifest));
  TRY(write_scripts(report.manifest, test, to));
  TRY(write_bundle(to, report.manifest));
  for (const auto& [name, file] : report.manifest.files) report.bytes += file.bytes;
  TRY(staged.commit());
  return report;
}

}  // namespace fastvlm::device
