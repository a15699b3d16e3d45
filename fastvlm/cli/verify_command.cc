#include "fastvlm/verify/verify.h"

#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/graph_opener.h"
#include "fastvlm/cli/print.h"

namespace fastvlm::cli {
namespace {

Result<VerifyOptions> options_of(const VerifyArguments& a, const CommonArguments& common) {
  VerifyOptions options{.output_dir = a.output_dir};
  if (!a.model_dir.empty()) options.model_dir = a.model_dir;
  if (!a.reference.empty()) options.reference = a.reference;
  TRY_ASSIGN(options.open_cpu, graph_opener({.output_dir = a.output_dir, .runner = "cpu"}, common));
  if (a.runner == "htp") {
    TRY_ASSIGN(options.open_npu, graph_opener({.output_dir = a.output_dir, .runner = "htp", .target = a.target}, common));
  }
  return options;
}

}  // namespace

int verify_command(const VerifyArguments& arguments, const CommonArguments& common) {
  auto options = options_of(arguments, common);
  if (!options) return print_error(options.error());
  auto progress = make_progress(common.quiet || common.json);
  auto report = verify(*options, *progress);
  if (!report) return print_error(report.error());
  if (common.json) {
    print_json(to_json(*report));
  } else {
    print_table(to_table(*report));
    print_line(fmt::format("\n{}: {} ok, {} missed, {} not compared", arguments.output_dir.string(), report->count(Outcome::kPassed),
                           report->count(Outcome::kMissed), report->count(Outcome::kNotCompared)));
  }
  return report->passed() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
}

}  // namespace fastvlm::cli
