#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/evaluate/merge_results.h"
#include "fastvlm/quant/merge_ranges.h"

namespace fastvlm::cli {
namespace {

struct MergeArguments {
  Path output;
  std::vector<std::string> files;
};

void add_options(OptionTable& options, MergeArguments& a, CommonArguments& common) {
  options.list("files", a.files, "FILE", "Files that `calibrate --shard` or `evaluate --shard` wrote, all of one run, in any order")
      .set_required();
  options.path("--output", a.output, "File to write").set_required();
  add_json(options, common);
}

ExitCode merge_of_ranges(const std::vector<Path>& files, const Path& output, bool json) {
  TRY_ASSIGN(const Ranges merged, merge_ranges(files));
  TRY(write_ranges(output, merged));
  if (json)
    print_json({{"output", output.string()}, {"kind", "ranges"}, {"shards", files.size()}, {"pictures", merged.pictures}});
  else
    print_line(fmt::format("{}: ranges of {} shards, {} pictures, {} prompts and {} tokens", output.string(), files.size(), merged.pictures,
                           merged.prompts, merged.tokens));
  return 0;
}

ExitCode merge_of_results(const std::vector<Path>& files, const Path& output, bool json) {
  TRY_ASSIGN(const MergedResults merged, merge_results(files, output));
  const std::size_t questions = merged.header.questions;
  if (json)
    print_json(
        {{"output", output.string()}, {"kind", "results"}, {"shards", merged.shards}, {"questions", questions}, {"failed", merged.failed}});
  else
    print_line(fmt::format("{}: results of {} shards, {} questions, {} without an answer", output.string(), merged.shards, questions,
                           merged.failed));
  return 0;
}

ExitCode run(const MergeArguments& a, const CommonArguments& common) {
  const std::vector<Path> files(a.files.begin(), a.files.end());
  std::error_code failure;
  for (const Path& file : files) {
    if (!std::filesystem::exists(file, failure)) return bad_input("{}: there is no such file", file.string());
    if (!is_ranges_file(file) && !is_results_file(file))
      return bad_input("{}: neither ranges of calibrate nor results of evaluate", file.string());
    if (is_ranges_file(file) != is_ranges_file(files.front()))
      return bad_input("{} and {}: one holds ranges, the other results", files.front().string(), file.string());
  }
  return is_ranges_file(files.front()) ? merge_of_ranges(files, a.output, common.json) : merge_of_results(files, a.output, common.json);
}

}  // namespace

Verb merge_verb(CommonArguments& common) {
  return make_verb<MergeArguments>(
      {.name = "merge",
       .group = kConvertGroup,
       .summary = "Put the files of shards together, to the bytes of a single run",
       .details = "Shards that do not fit (another model, another set, missing, twice) are refused, and nothing is written.",
       .examples = "  fastvlm-npu calibrate --model-dir FastVLM-0.5B --images pictures --shard 1/4 --output ranges-1.fvc\n"
                   "  fastvlm-npu merge ranges-1.fvc ranges-2.fvc ranges-3.fvc ranges-4.fvc --output ranges.fvc"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
