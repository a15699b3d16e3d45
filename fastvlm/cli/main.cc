#include <signal.h>
#include <unistd.h>

#include <new>
#include <system_error>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/base/nearest.h"
#include "fastvlm/base/version.h"
#include "fastvlm/cli/add_verb.h"
#include "fastvlm/cli/hidden_verbs.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/runtime_arguments.h"

namespace fastvlm::cli {
namespace {

constexpr const char* kFooter =
    "Start here:\n"
    "  fastvlm-npu make-checkpoint --size tiny --dialect hf --output-dir tiny\n"
    "  fastvlm-npu export --model-dir tiny --output-dir out\n"
    "  fastvlm-npu inspect out\n"
    "\n"
    "fastvlm-npu VERB --help shows the options of a verb.\n"
    "Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment (runtime missing, disk full),\n"
    "130 interrupted.";

// The first Ctrl-C asks the work to stop and clean up, the second one does not wait.
void handle_interrupt(int) {
  if (interrupted()) ::_exit(static_cast<int>(ErrorKind::kInterrupted));
  request_interrupt();
}

void install_signal_handlers() {
  struct sigaction action = {};
  action.sa_handler = handle_interrupt;  // without SA_RESTART: a blocked read returns
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
  // A parent may have had it ignored; without a reader we end quietly.
  ::signal(SIGPIPE, SIG_DFL);
}

std::vector<std::string_view> option_names(CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back(name);
  return names;
}

std::string unknown_verb(CLI::App& app, const std::string& word) {
  std::vector<std::string_view> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(verb->get_name());
  return fmt::format("\"{}\" is not a verb; did you mean {}?", word, nearest_of(word, names));
}

// CLI11 complains about the first thing it misses; a misspelt word is the better thing to name.
std::string explain(CLI::App& app, CLI::App* verb, const CLI::ParseError& error) {
  const std::vector<std::string> extras = app.remaining(true);
  for (const std::string& word : extras) {
    if (word.starts_with("--")) {
      const std::string name = word.substr(2, word.find('=') - 2);
      return fmt::format("there is no option --{}; did you mean --{}?", name,
                         nearest_of(name, option_names(verb != nullptr ? *verb : app)));
    }
    if (verb == nullptr && !word.starts_with("-")) return unknown_verb(app, word);
  }
  if (!extras.empty()) return fmt::format("\"{}\" was not expected here", extras[0]);
  if (verb == nullptr && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) return "a verb is missing";
  std::string text = error.what();
  if (const auto twice = text.find(": At Most 1 required"); twice != std::string::npos)
    return text.substr(0, twice) + " is given more than once";
  const std::string convert = "Could not convert: ";
  if (text.starts_with(convert)) text = "this is not a value of the right kind: " + text.substr(convert.size());
  return text;
}

int usage_error(CLI::App& app, const CLI::ParseError& error) {
  const auto verbs = app.get_subcommands();
  CLI::App* verb = verbs.empty() ? nullptr : verbs[0];
  const std::string help = verb != nullptr ? verb->get_name() + " --help" : "--help";
  return print_error(bad_usage("{}\nTry: fastvlm-npu {}", explain(app, verb, error), help));
}

int run(int argc, char** argv) {
  CLI::App app("Turns FastVLM checkpoints into ONNX graphs and Qualcomm NPU contexts, proves them and talks through them.", "fastvlm-npu");
  CommonArguments common;
  std::function<int()> chosen;
  app.set_version_flag("--version", std::string("fastvlm-npu ") + kVersion);
  app.add_option("--threads", common.threads, "Worker threads; default: one for each core")->type_name("N");
  app.add_flag("--quiet", common.quiet, "No progress on standard error");
  app.fallthrough()->require_subcommand(1)->footer(kFooter);
  for (auto* add : kVerbs) add({.app = app, .common = common, .chosen = chosen});
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // Help and version.
    if (error.get_exit_code() == 0) return app.exit(error);
    return usage_error(app, error);
  }
  complete_from_environment(common.runtimes);
  return chosen();
}

// What the library throws or lets pass; anything else is our own bug and ends the program with its name.
int run_and_report(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const ModelError& error) {
    return print_error(bad_input("{}", error.what()));
  } catch (const std::bad_alloc&) {
    return print_error(bad_environment("out of memory; close other programs or take a smaller model"));
  } catch (const std::system_error& error) {
    return print_error(bad_environment("{}", error.what()));
  }
}

}  // namespace
}  // namespace fastvlm::cli

int main(int argc, char** argv) {
  if (auto code = fastvlm::cli::run_hidden_verb(std::span(argv + 1, argc > 0 ? static_cast<std::size_t>(argc - 1) : 0))) return *code;
  fastvlm::cli::install_signal_handlers();
  return fastvlm::cli::finish_output(fastvlm::cli::run_and_report(argc, argv));
}
