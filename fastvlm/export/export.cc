#include "fastvlm/export/export.h"

#include <algorithm>
#include <utility>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/parallel.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/export/embedding_uint16.h"
#include "fastvlm/export/encodings_files.h"
#include "fastvlm/export/manifest_of.h"
#include "fastvlm/export/model_identity.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/export/reuse.h"
#include "fastvlm/export/write_files.h"
#include "fastvlm/onnx/data_writer.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {

Status write_small_file(const Path& folder, const std::string& name, const std::string& bytes, const std::string& made,
                        WrittenFacts& facts) {
  std::error_code failure;
  std::filesystem::create_directories((folder / name).parent_path(), failure);
  if (failure) return bad_environment("{}: cannot make the folder ({})", (folder / name).parent_path().string(), failure.message());
  TRY(write_file_atomically(folder / name, bytes));
  facts.files[name] = {.bytes = bytes.size(), .sha256 = sha256_of(bytes), .made = made};
  return {};
}

Status write_weights(const WeightFiles& w, const WriteOptions& options, Progress& progress, WrittenFacts& facts) {
  WriteOptions below = options;
  if (w.npu && !options.reuse.empty()) below.reuse = options.reuse / kNpuFolder;
  TRY_ASSIGN(WrittenData written, write_data_files(w.data, w.npu ? w.folder / kNpuFolder : w.folder, below, progress));
  facts.reused += written.reused;
  for (const auto& [name, file] : written.files)
    facts.files[w.npu ? npu_file(name) : name] = {.bytes = file.bytes, .sha256 = file.sha256, .made = "weights"};
  for (const auto& [weight, losses] : written.losses) facts.losses[weight].add(losses);
  return {};
}

Status write_coded_tables(const PreparedExport& p, const Path& folder, const WriteOptions& options, Progress& progress,
                          WrittenFacts& facts) {
  const std::vector<CodedTableEntry> standing = std::exchange(facts.coded_tables, coded_tables(p.graphs));
  for (CodedTableEntry& table : facts.coded_tables) {
    if (facts.files.contains(table.file)) {
      const auto old = std::ranges::find(standing, table.file, &CodedTableEntry::file);
      if (old == standing.end() || old->encoding != table.encoding)
        return bad_input("{}: holds codes of another scale than the graphs take; export again with all recipes", table.file);
      table.sqnr_db = old->sqnr_db;
      continue;
    }
    TRY_ASSIGN(const CodedTable written, write_uint16_table(p.embedding, table.encoding, folder / table.file, options, progress));
    table.sqnr_db = written.sqnr_db;
    facts.reused += written.file.reused;
    facts.files[table.file] = {.bytes = written.file.bytes, .sha256 = written.file.sha256, .made = "weights"};
  }
  return {};
}

namespace {

// The large files and the side files beside each other; each leaves a core or the disk idle for a while.
Status write_weights_and_tables(PreparedExport& p, const Path& folder, Progress& progress, WrittenFacts& facts) {
  Jobs jobs;
  const WriteOptions options{.threads = p.options.threads, .stop = jobs.stop(), .reuse = p.options.reuse};
  jobs.start([&] { return add_side_files(p); });
  jobs.start([&]() -> Status {
    // One thread is done long before the float files are.
    TRY_ASSIGN(facts.int8, write_int8_table(p.embedding, folder / kInt8TableFile,
                                            {.threads = 1, .stop = options.stop, .reuse = options.reuse}, progress));
    return {};
  });
  jobs.start([&]() -> Status {
    TRY(write_weights({.data = p.data, .folder = folder}, options, progress, facts));
    if (p.options.npu) TRY(write_weights({.data = p.npu_data, .folder = folder, .npu = true}, options, progress, facts));
    return {};
  });
  TRY(jobs.join());
  facts.reused += facts.int8.file.reused;
  facts.files[kInt8TableFile] = {.bytes = facts.int8.file.bytes, .sha256 = facts.int8.file.sha256, .made = "weights"};
  return write_coded_tables(p, folder, options, progress, facts);
}

}  // namespace

Status report_losses(PreparedExport& p, const WrittenFacts& facts) {
  for (const auto& [weight, loss] : facts.losses) {
    if (loss.not_finite > 0) {
      if (p.options.refuse_not_finite)
        return bad_input("{}: weight \"{}\" holds {} NaN or infinite values", p.options.model_dir.string(), weight, loss.not_finite);
      p.findings.push_back(fmt::format("weight \"{}\" holds {} NaN or infinite values", weight, loss.not_finite));
    }
    if (loss.overflowed > 0)
      p.findings.push_back(fmt::format("weight \"{}\": {} values overflow float16 and became infinite", weight, loss.overflowed));
    if (loss.vanished > 0)
      p.findings.push_back(fmt::format("weight \"{}\": {} values are too small for float16 and became zero", weight, loss.vanished));
  }
  return {};
}

Result<ExportReport> run_export(const ExportOptions& options, Progress& progress) {
  const StageOptions stage{.force = options.force,
                           .may_replace =
                               [](const Path& folder) {
                                 std::error_code unreadable;
                                 return std::filesystem::exists(folder / kManifestFile, unreadable);
                               },
                           .replaceable = fmt::format("an export (a folder with {})", kManifestFile)};
  // What is wrong with the recipes or the folder is said before the checkpoint is looked at.
  FASTVLM_ASSERT(!options.ranges || options.ranges->source != RangeOptions::Source::kAssumed,
                 "ranges are measured before they are written");
  if (options.npu) TRY(check_integer_recipes(options));
  TRY(check_target(options.output_dir, stage));
  TRY(check_reuse(options));
  TRY_ASSIGN(auto prepared, prepare_graphs(options));
  if (options.npu && options.must_run) TRY(check_precisions(*options.npu, prepared->matrices));
  PreparedExport& p = *prepared;
  const std::vector<PlannedFile> files = planned_files(p);
  TRY(check_reuse(options, files));
  std::uint64_t planned = 0;
  for (const PlannedFile& file : files) planned += file.bytes;
  TRY(check_free_space(options.output_dir, planned, "the export"));
  TRY_ASSIGN(StagedFolder staged, StagedFolder::create(options.output_dir, stage));

  WrittenFacts facts{.losses = p.losses};
  TRY_ASSIGN(facts.model, model_identity(*p.checkpoint));
  for (const auto& [name, bytes] : p.onnx_files) TRY(write_small_file(staged.path(), name, bytes, "graph", facts));
  progress.start("writing weights", planned, /*bytes=*/true);
  TRY(write_weights_and_tables(p, staged.path(), progress, facts));
  for (const PreparedEncodings& encodings : p.encodings) {
    TRY_ASSIGN(facts.files[encodings.file], write_encodings_file(encodings, p, staged.path(), progress));
  }
  for (const auto& [name, bytes] : p.small_files) TRY(write_small_file(staged.path(), name, bytes, p.made.at(name), facts));
  TRY(report_losses(p, facts));
  TRY(write_manifest(staged.path(), manifest_of(p, facts)));
  TRY(check_interrupt());
  TRY(staged.commit());
  std::error_code ignored;
  std::uint64_t written = std::filesystem::file_size(options.output_dir / kManifestFile, ignored);
  for (const auto& [name, file] : facts.files) written += file.bytes;
  return ExportReport{.files = facts.files, .findings = p.findings, .bytes = written, .reused = facts.reused};
}

OrderedJson plan_json(const PreparedExport& p) {
  OrderedJson files = OrderedJson::array();
  std::uint64_t total = 0;
  for (const PlannedFile& file : planned_files(p)) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"made", file.made}});
    total += file.bytes;
  }
  std::int64_t parameters = 0;
  for (const CheckpointTensor& tensor : p.checkpoint->tensors()) parameters += element_count(tensor.shape);
  OrderedJson json = {
      {"model_dir", p.options.model_dir.string()},
      {"model", to_json(model_facts(p.config, p.checkpoint->model_type()))},
      {"image_size", p.image_size},
      {"dtype", name(p.options.dtype)},
      {"checkpoint", {{"bytes", p.checkpoint->total_bytes()}, {"tensors", p.checkpoint->tensors().size()}, {"parameters", parameters}}},
      {"files", files},
      {"total_bytes", total},
      {"peak_memory_bytes", planned_peak_memory(p)},
      {"findings", p.findings},
      {"range_scales", to_json(range_scales(p.scales))},
      {"gelus", to_json(gelu_entries(p.gelus))}};
  OrderedJson graphs = OrderedJson::array();
  for (const PreparedGraph& graph : p.graphs) graphs.push_back(short_json(graph.entry));
  json["graphs"] = graphs;
  return json;
}

}  // namespace fastvlm
