#include <signal.h>

#include <algorithm>
#include <exception>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/base/without_exceptions.h"
#include "fastvlm/cli/command_line.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/stop_signals.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/cli/workers.h"
#include "fastvlm/process/process.h"
#include "fastvlm/process/worker_program.h"

namespace fastvlm::cli {
namespace {

ExitCode run(std::span<const std::string> arguments) {
  CommonArguments common;
  OptionTable common_rows = common_options(common);
  std::vector<Verb> verbs;
  for (auto* make : kVerbs) verbs.push_back(make(common));
  TRY_ASSIGN(const Parsed parsed, parse_command_line(arguments, verbs, common_rows));
  if (parsed.verb == nullptr) {
    print_help(parsed.text);
    return 0;
  }
  complete_from_environment(common.runtimes);
  return parsed.verb->run();
}

// No input should lead here.
Error our_mistake(std::string_view what) {
  return bad_environment("this is our mistake: {}; please report it with this line, the command and the file it was about (fastvlm-npu {})",
                         what, kVersion);
}

// What the library throws or lets pass.
ExitCode run_and_catch(std::span<const std::string> arguments) {
  try {
    return without_exceptions<int>([&] { return run(arguments); });
  } catch (const std::exception& error) {
    return our_mistake(error.what());
  } catch (...) {
    return our_mistake("an exception of unknown kind");
  }
}

int run_and_report(const std::vector<std::string>& arguments) {
  const ExitCode code = run_and_catch(arguments);
  if (code.ok()) return *code;
  // The words, not what was parsed: wrong usage is told as JSON too.
  if (std::ranges::find(arguments, "--json") != arguments.end()) print_json(error_json(code.error()));
  return print_error(code.error());
}

}  // namespace
}  // namespace fastvlm::cli

int main(int argc, char** argv) {
  if (auto code = fastvlm::serve_worker(argc, argv, fastvlm::cli::workers())) return *code;
  fastvlm::set_worker_program(fastvlm::own_executable());
  ::signal(SIGPIPE, SIG_DFL);  // a parent may have had it ignored; without a reader we end quietly
  const fastvlm::StopScope stop(fastvlm::cli::install_stop_signals());
  return fastvlm::cli::finish_output(fastvlm::cli::run_and_report({argv + std::min(argc, 1), argv + argc}));
}
