#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/diff/compare_exports.h"

namespace fastvlm::cli {
namespace {

struct DiffArguments {
  Path first;
  Path second;
  bool all = false;
};

constexpr std::size_t kShownRows = 20;  // of each table, without --all

void add_options(OptionTable& options, DiffArguments& a, CommonArguments& common) {
  options.path("first", a.first, "Folder that export wrote, or a manifest.json").set_required();
  options.path("second", a.second, "Another one").set_required();
  options.flag("--all", a.all, fmt::format("Print every row; default: {} of each table", kShownRows));
  add_json(options, common);
}

class Printer {
 public:
  explicit Printer(bool all) : all_(all) {}

  void table(const std::string& title, Rows rows) const {
    const std::size_t count = rows.size() - 1;
    if (count == 0) return;
    if (!all_ && count > kShownRows) rows.resize(kShownRows + 1);
    print_line(fmt::format("\n{}", title));
    print_table(rows);
    if (rows.size() - 1 < count) print_line(fmt::format("and {} more; --all shows them", count - kShownRows));
  }

  void one_sided(const std::string& what, const OneSided& only) const {
    Rows rows = {{"only in", what}};
    for (const std::string& name : only.first) rows.push_back({"first", name});
    for (const std::string& name : only.second) rows.push_back({"second", name});
    table(what + " of one side only", std::move(rows));
  }

 private:
  bool all_;
};

std::string shown(const std::string& value) {
  constexpr std::size_t kLongest = 80;
  return value.empty() ? "-" : value.size() <= kLongest ? value : value.substr(0, kLongest) + "...";
}

void print_differences(const ExportDifferences& d, bool all) {
  const Printer printer(all);
  Rows settings = {{"setting", "first", "second"}};
  for (const ChangedSetting& change : d.settings) settings.push_back({change.key, shown(change.first), shown(change.second)});
  printer.table("settings", std::move(settings));

  printer.one_sided("graphs", d.only_graphs);
  Rows graphs = {{"graph", "what", "first", "second"}};
  for (const ChangedGraph& graph : d.graphs) {
    if (graph.changes.empty()) graphs.push_back({graph.file, "only the bytes of the file", "", ""});
    for (const ChangedSetting& change : graph.changes)
      graphs.push_back({graph.file, change.key, shown(change.first), shown(change.second)});
  }
  printer.table("graphs", std::move(graphs));

  printer.one_sided("weights", d.only_weights);
  Rows weights = {{"weight", "file", "max abs", "SNR dB", ""}};
  for (const ChangedWeight& weight : d.weights) {
    weights.push_back({weight.name, weight.file, "", "", weight.sentence});
    if (!weight.numbers) continue;
    weights.back()[2] = fmt::format("{:.3g}", weight.numbers->max_abs);
    weights.back()[3] = fmt::format("{:.1f}", weight.numbers->snr_db);
    if (weight.numbers->not_finite > 0) weights.back()[4] += fmt::format(" {} NaN or infinite", weight.numbers->not_finite);
  }
  printer.table(fmt::format("weights: {} differ, {} are equal", d.weights.size(), d.same_weights), std::move(weights));

  printer.one_sided("files", d.only_files);
  Rows files = {{"file", "bytes of the first", "of the second"}};
  for (const ChangedFile& file : d.files) files.push_back({file.name, grouped(file.first_bytes), grouped(file.second_bytes)});
  printer.table("files with other bytes", std::move(files));
}

ExitCode run(const DiffArguments& a, const CommonArguments& common) {
  TRY_ASSIGN(const ExportSide first, open_export_side(a.first));
  TRY_ASSIGN(const ExportSide second, open_export_side(a.second));
  TRY_ASSIGN(const ExportDifferences differences, compare_exports(first, second));
  if (common.json) {
    print_json(to_json(differences));
  } else if (differences.same()) {
    print_line(fmt::format("the same: {} graphs, {} weights, {} files", first.manifest.graphs.size(), differences.same_weights,
                           first.manifest.files.size()));
  } else {
    print_line(fmt::format("first: {}\nsecond: {}", a.first.string(), a.second.string()));
    print_differences(differences, a.all);
  }
  return differences.same() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace

Verb diff_verb(CommonArguments& common) {
  return make_verb<DiffArguments>(
      {.name = "diff",
       .group = kProveGroup,
       .summary = "Show which graphs, weights, settings and files of two exports differ, and by how much",
       .details =
           "Files with equal hashes in both manifests count as equal (inspect --hash holds a folder against its own). Weights of the\n"
           "same name in files of the same name are compared as numbers: the largest difference, and the ratio of signal to noise\n"
           "with the first as the signal; codes in blocks together with their scales. With two manifests and no files beside them\n"
           "the numbers are not compared. Exit code 1 when anything differs.",
       .examples = "  fastvlm-npu diff out fine-tuned\n"
                   "  fastvlm-npu diff out/manifest.json other.json --json"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
