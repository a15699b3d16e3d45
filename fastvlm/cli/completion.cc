// completion and man: what packages install beside the program.
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/shell_completion.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::cli {
namespace {

struct CompletionArguments {
  std::string shell;
};
struct ManArguments {};

void add_options(OptionTable& options, CompletionArguments& a, CommonArguments&) {
  options.choice("shell", a.shell, {"bash", "zsh", "fish"}, "For which shell").set_required();
}

CommandTables tables_of(CommonArguments& common) {
  CommandTables tables{.verbs = {}, .common = common_options(common), .chips = chip_names(known_targets())};
  for (auto* make : kVerbs) tables.verbs.push_back(make(common));
  return tables;
}

ExitCode run_completion(const CompletionArguments& arguments, const CommonArguments&) {
  CommonArguments fresh;
  const CommandTables tables = tables_of(fresh);
  print_text(arguments.shell == "bash"  ? bash_completion(tables)
             : arguments.shell == "zsh" ? zsh_completion(tables)
                                        : fish_completion(tables));
  return 0;
}

ExitCode run_man(const ManArguments&, const CommonArguments&) {
  CommonArguments fresh;
  print_text(manual_page(tables_of(fresh)));
  return 0;
}

}  // namespace

Verb completion_verb(CommonArguments& common) {
  return make_verb<CompletionArguments>({.name = "completion",
                                         .group = kToolsGroup,
                                         .summary = "Print the completion script of a shell",
                                         .details = "Installed packages bring the scripts already.",
                                         .examples = "  source <(fastvlm-npu completion bash)\n"
                                                     "  fastvlm-npu completion fish > ~/.config/fish/completions/fastvlm-npu.fish"},
                                        common, add_options, run_completion);
}

Verb man_verb(CommonArguments& common) {
  return make_verb<ManArguments>(
      {.name = "man", .group = kToolsGroup, .summary = "Print the manual page", .details = "", .examples = "  fastvlm-npu man | man -l -"},
      common, [](OptionTable&, ManArguments&, CommonArguments&) {}, run_man);
}

}  // namespace fastvlm::cli
