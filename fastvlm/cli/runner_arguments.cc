#include "fastvlm/cli/runner_arguments.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "fastvlm/base/try.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

constexpr const char* kCpu = "cpu";
constexpr const char* kPlainGraphs = "plain";

std::vector<std::string> runners() {
  std::vector<std::string> names = {kCpu};
  for (const Target* target : known_targets())
    if (std::ranges::find(names, target->runner) == names.end()) names.emplace_back(target->runner);
  return names;
}

}  // namespace

void add_runner_options(OptionTable& options, std::string& runner, std::string& target, std::string help) {
  options.choice("--runner", runner, runners(), std::move(help));
  options.value("--target", target, "CHIP", "Chip for --runner htp").complete(Completes::kChip).show_default();
}

std::vector<std::string> graphs_names() { return {"detect", "static", kPlainGraphs}; }

Result<ChatGraphs> graphs_for(const std::string& name, const std::string& chip) {
  if (!chip.empty() && name == kPlainGraphs) return bad_option("graphs", "{}: {} runs static graphs only", name, chip);
  if (!chip.empty() || name == "static") return ChatGraphs::kStatic;
  return name == kPlainGraphs ? ChatGraphs::kPlain : ChatGraphs::kStaticFirst;
}

Result<bool> shares_weights(const Path& output_dir, ChatGraphs graphs, bool prepack) {
  TRY_ASSIGN(const OutputFolder folder, open_static_folder(output_dir));
  return !prepack && !chooses_plain(folder, graphs);
}

Result<std::string> chip_of(const std::string& runner, const std::string& target) {
  if (runner == kCpu) return std::string();
  TRY_ASSIGN(const ChosenChip chosen, find_chip(known_targets(), target));
  if (chosen.target->runner != runner)
    return bad_option("runner", "{}: {} is run with --runner {}", runner, chosen.chip->name, chosen.target->runner);
  return chosen.chip->name;
}

GraphOpenerOptions opener_options(const Path& output_dir, const std::string& chip, const CommonArguments& common) {
  GraphOpenerOptions options{.output_dir = output_dir,
                             .chip = chip,
                             .runtimes = common.runtimes,
                             .program = own_executable(),
                             .cache_folder = common.runtimes.cache_folder,
                             .threads = common.threads};
  if (!common.quiet && !common.json)
    options.on_open = [](const std::string& graph, const Chip& on) { fmt::print(stderr, "opening {} for {}\n", graph, on.name); };
  return options;
}

}  // namespace fastvlm::cli
