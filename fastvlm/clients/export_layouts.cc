#include "fastvlm/clients/export_layouts.h"

#include <filesystem>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/onnx/writer.h"

namespace fastvlm::clients {
namespace {

struct Made {
  std::unique_ptr<PreparedExport> prepared;
  LayoutFiles files;
  std::map<std::string, CastLosses> losses;
};

ExportOptions plain(ExportOptions options) {
  options.npu.reset();
  options.dtype = Dtype::kFloat32;
  return options;
}

Result<Made> make(const LayoutExportOptions& options) {
  TRY_ASSIGN(const auto wanted, find_layouts(options.layouts));
  TRY_ASSIGN(const auto variants, find_variants(options.variants));
  Made made;
  TRY_ASSIGN(made.prepared, prepare_export(plain(options.model)));
  try {
    for (const Layout& layout : wanted) TRY(layout.add({.prepared = *made.prepared, .variants = variants}, made.files));
  } catch (const ModelError& error) {
    return bad_input("{}: {}", options.model.model_dir.string(), error.what());
  }
  for (const LayoutGraph& graph : made.files.graphs) {
    const OnnxOptions onnx{.producer_version = kVersion, .losses = &made.losses};
    TRY_ASSIGN(made.files.bytes[graph.file], to_onnx(*graph.graph, graph.data, onnx));
  }
  return made;
}

// "onnx/" of "onnx/embed_tokens.onnx".
std::string folder_of(const std::string& file) {
  const auto slash = file.find_last_of('/');
  return slash == std::string::npos ? "" : file.substr(0, slash + 1);
}

std::vector<PlannedFile> planned(const LayoutFiles& files) {
  std::vector<PlannedFile> all;
  for (const auto& [name, bytes] : files.bytes) all.push_back({name, bytes.size(), name.ends_with(".onnx") ? "graph" : "made"});
  for (const LayoutGraph& graph : files.graphs)
    for (const auto& [name, bytes] : graph.data.file_sizes()) all.push_back({folder_of(graph.file) + name, bytes, "weights"});
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
  for (const LayoutGraph& graph : made.files.graphs) {
    const std::string below = folder_of(graph.file);
    TRY_ASSIGN(const WrittenData written,
               write_data_files(graph.data, folder / below, {.threads = made.prepared->options.threads, .stop = {}}, progress));
    for (const auto& [name, file] : written.files)
      report.files[below + name] = {.bytes = file.bytes, .sha256 = file.sha256, .made = "weights"};
    for (const auto& [weight, losses] : written.losses) made.losses[weight].add(losses);
    TRY(check_interrupt());
  }
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

std::string layouts_json(const LayoutExportOptions& options, const ExportReport& report) {
  OrderedJson files = OrderedJson::object();
  for (const auto& [name, file] : report.files) files[name] = {{"bytes", file.bytes}, {"sha256", file.sha256}};
  const OrderedJson json = {{"fastvlm_npu", kVersion},
                            {"layouts", options.layouts},
                            {"variants", options.variants},
                            {"findings", report.findings},
                            {"files", files}};
  return json.dump(2) + "\n";
}

}  // namespace

Result<std::vector<PlannedFile>> plan_layouts(const LayoutExportOptions& options) {
  TRY_ASSIGN(const Made made, make(options));
  return planned(made.files);
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
  for (const PlannedFile& file : planned(made.files)) bytes += file.bytes;
  TRY(check_free_space(options.model.output_dir, bytes, "the export"));
  TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.model.output_dir, stage));
  for (const auto& [name, content] : made.files.bytes) TRY(write_small(staged.path(), name, content, report));
  progress.start("writing weights", bytes, /*bytes=*/true);
  TRY(write_weights(staged.path(), made, progress, report));
  TRY(report_losses(options, made, report));
  const std::string facts = layouts_json(options, report);
  TRY(write_small(staged.path(), kLayoutsFile, facts, report));
  TRY(check_interrupt());
  TRY(staged.commit());
  for (const auto& [name, file] : report.files) report.bytes += file.bytes;
  return report;
}

}  // namespace fastvlm::clients
