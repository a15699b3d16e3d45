#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runner_arguments.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/datasheet/datasheet.h"
#include "fastvlm/datasheet/page.h"
#include "fastvlm/process/process.h"
#include "fastvlm/report/html.h"

namespace fastvlm::cli {
namespace {

struct ReportArguments {
  Path output_dir;
  Path html;
  std::vector<std::string> pictures;
  std::string question = DatasheetOptions().question;
  std::int64_t max_new_tokens = DatasheetOptions().max_new_tokens;
  std::string runner = "cpu";
  std::string target = "sm8750";
  bool no_verify = false;
};

void add_options(OptionTable& options, ReportArguments& a, CommonArguments& common) {
  options.path("--output-dir", a.output_dir, "Folder that export wrote").complete(Completes::kFolder).set_required();
  options.path("--html", a.html, "Page to write; needs nothing from outside").set_required();
  options.list("--picture", a.pictures, "FILE,FILE", "Pictures to ask about; default: one that is made up").complete(Completes::kPath);
  options.value("--question", a.question, "TEXT", "Question about each picture").show_default();
  options.value("--max-new-tokens", a.max_new_tokens, "N", "Longest answer").show_default();
  options.flag("--no-verify", a.no_verify, "Leave out what verify finds and the accuracy of the layers");
  add_runner_options(options, a.runner, a.target, "cpu: ONNX Runtime; htp: the NPU as well, emulated on x86");
  add_json(options, common);
  add_runtime_options(options, common);
}

Result<DatasheetOptions> options_of(const ReportArguments& a, const CommonArguments& common) {
  if (a.question.find_first_not_of(" \t\r\n") == std::string::npos) return bad_usage("--question is empty");
  DatasheetOptions options{.output_dir = a.output_dir,
                           .open_cpu = {},
                           .verify = !a.no_verify,
                           .pictures = {a.pictures.begin(), a.pictures.end()},
                           .question = a.question,
                           .max_new_tokens = a.max_new_tokens,
                           .program = own_executable(),
                           .runtimes = common.runtimes};
  TRY_ASSIGN(options.chip, chip_of(a.runner, a.target));
  TRY_ASSIGN(options.open_cpu, graph_opener(opener_options(a.output_dir, "", common)));
  if (!options.chip.empty()) {
    TRY_ASSIGN(options.open_npu, graph_opener(opener_options(a.output_dir, options.chip, common)));
  }
  return options;
}

// Sentences of the library name options as its structs do.
void spell_flags(Datasheet& sheet) {
  if (sheet.verified)
    for (VerifyRow& row : sheet.verified->rows) row.sentence = with_flags(row.sentence);
  sheet.layers_problem = with_flags(sheet.layers_problem);
  for (ContextSheet& context : sheet.contexts) context.problem = with_flags(context.problem);
  for (SheetPicture& picture : sheet.pictures)
    for (SheetAnswer& answer : picture.answers) answer.problem = with_flags(answer.problem);
}

void print_report(const ReportArguments& a, const Datasheet& sheet, std::size_t bytes, bool json) {
  const auto count = [&](Outcome outcome) { return sheet.verified ? sheet.verified->count(outcome) : 0; };
  if (json) {
    OrderedJson facts = {{"html", a.html.string()}, {"bytes", bytes}};
    if (sheet.verified)
      facts.update({{"passed", sheet.verified->passed()},
                    {"ok", count(Outcome::kPassed)},
                    {"missed", count(Outcome::kMissed)},
                    {"not_compared", count(Outcome::kNotCompared)}});
    facts["pictures"] = sheet.pictures.size();
    facts["contexts"] = sheet.contexts.size();
    return print_json(facts);
  }
  print_line(fmt::format("{}: {}", a.html.string(), human_bytes(bytes)));
  if (!sheet.verified) return;
  print_line(fmt::format("verify: {} ok, {} missed, {} not compared", count(Outcome::kPassed), count(Outcome::kMissed),
                         count(Outcome::kNotCompared)));
}

ExitCode run(const ReportArguments& a, const CommonArguments& common) {
  TRY(report::check_page_target(a.html));
  TRY_ASSIGN(const DatasheetOptions options, options_of(a, common));
  auto progress = make_progress(common.quiet || common.json);
  TRY_ASSIGN(Datasheet sheet, gather_datasheet(options, *progress));
  spell_flags(sheet);
  const std::string page = datasheet_page(sheet);
  TRY(write_file_atomically(a.html, page));
  print_report(a, sheet, page.size(), common.json);
  return sheet.verified && !sheet.verified->passed() ? static_cast<int>(ErrorKind::kCheckFailed) : 0;
}

}  // namespace

Verb report_verb(CommonArguments& common) {
  return make_verb<ReportArguments>(
      {.name = "report",
       .group = kProveGroup,
       .summary = "Write one page about an export that can be sent to a colleague",
       .details =
           "Model, settings, sizes, files with hashes, contexts, operators, ranges, versions, and pictures with answers in one HTML\n"
           "file that needs nothing from outside. It runs verify and compares every layer of the static graphs with the plain\n"
           "ones, which takes most of the time; --no-verify leaves that out. --runner htp runs the NPU as well. The same folder\n"
           "gives the same page. Exit code 1 when anything misses its gate; the page is written all the same.",
       .examples = "  fastvlm-npu report --output-dir out --html out.html\n"
                   "  fastvlm-npu report --output-dir out --html out.html --picture cat.jpg --question \"What is this?\"\n"
                   "  fastvlm-npu report --output-dir out --html out.html --runner htp --target sm8750"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
