#include "fastvlm/cli/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <sstream>

#include "fastvlm/base/nearest.h"
#include "fastvlm/base/version.h"

namespace fastvlm::cli {
namespace {

constexpr const char* kAbout = "Turns FastVLM checkpoints into ONNX graphs and Qualcomm NPU contexts, proves them and talks through them.";
constexpr const char* kFooter =
    "Start here:\n"
    "  fastvlm-npu make-checkpoint --size tiny --dialect hf --output-dir tiny\n"
    "  fastvlm-npu export --model-dir tiny --output-dir out\n"
    "  fastvlm-npu inspect out\n"
    "\n"
    "fastvlm-npu help VERB shows the options of a verb.\n"
    "Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment (runtime missing, disk full),\n"
    "130 interrupted.";

CLI::Validator validator(std::function<std::string(const std::string&)> check) {
  return CLI::Validator([check = std::move(check)](std::string& text) { return check(text); }, "");
}

CLI::Option* add_option(CLI::App& app, Option& row) {
  if (row.is_flag()) return app.add_flag_callback(row.name, [&row] { row.take({}); }, row.help);
  CLI::Option* option = app.add_option(row.name, row.take, row.help, !row.default_value.empty());
  option->type_name(row.type)->required(row.required);
  if (!row.default_value.empty()) option->default_str(row.list ? "[" + row.default_value + "]" : row.default_value);
  if (row.list) option->expected(1, CLI::detail::expected_max_vector_size)->allow_extra_args();
  if (row.check) option->check(validator(row.check));
  if (!row.environment.empty()) option->envname(row.environment);
  return option;
}

void add_rows(CLI::App& app, OptionTable& table) {
  for (Option& row : table.rows()) {
    CLI::Option* option = add_option(app, row);
    if (!row.heading.empty()) option->group(row.heading);
  }
  for (const Option& row : table.rows()) {
    if (!row.needs.empty()) app.get_option(row.name)->needs(app.get_option(row.needs));
    if (!row.excludes.empty()) app.get_option(row.name)->excludes(app.get_option(row.excludes));
  }
}

std::vector<std::string_view> option_names(const CLI::App& app) {
  std::vector<std::string_view> names;
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent())
    for (const CLI::Option* option : level->get_options())
      for (const std::string& name : option->get_lnames()) names.push_back(name);
  return names;
}

std::string unknown_verb(const CLI::App& app, const std::string& word) {
  std::vector<std::string_view> names;
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) names.push_back(verb->get_name());
  return fmt::format("\"{}\" is not a verb; did you mean {}?", word, nearest_of(word, names));
}

// CLI11 complains about the first thing it misses; a misspelt word is the better thing to name.
std::string explain(const CLI::App& app, const CLI::App* verb, const CLI::ParseError& error) {
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

Error usage_error(const CLI::App& app, const CLI::ParseError& error) {
  const auto verbs = app.get_subcommands();
  const CLI::App* verb = verbs.empty() ? nullptr : verbs[0];
  const std::string help = verb != nullptr ? verb->get_name() + " --help" : "--help";
  return bad_usage("{}\nTry: fastvlm-npu {}", explain(app, verb, error), help);
}

// "help", "help VERB" and "version" as words.
std::vector<std::string> with_options_for_words(std::span<const std::string> arguments) {
  std::vector<std::string> words(arguments.begin(), arguments.end());
  if (words.empty() || (words[0] != "help" && words[0] != "version")) return words;
  const std::string option = "--" + words[0];
  words.erase(words.begin());
  words.push_back(option);
  return words;
}

}  // namespace

Result<Parsed> parse_command_line(std::span<const std::string> arguments, std::vector<Verb>& verbs, OptionTable& common) {
  CLI::App app(kAbout, "fastvlm-npu");
  app.set_version_flag("--version", std::string("fastvlm-npu ") + kVersion);
  add_rows(app, common);
  app.fallthrough()->require_subcommand(1)->footer(kFooter);
  const Verb* chosen = nullptr;
  for (Verb& verb : verbs) {
    CLI::App* one = app.add_subcommand(verb.text.name, verb.text.summary);
    one->group(verb.text.group)->footer(verb_footer(verb.text));
    add_rows(*one, verb.options);
    one->callback([&chosen, &verb] { chosen = &verb; });
  }
  const std::vector<std::string> words = with_options_for_words(arguments);
  if (arguments.size() > 1 && arguments[0] == "help" && std::ranges::none_of(verbs, [&](const Verb& v) { return v.text.name == words[0]; }))
    return bad_usage("{}\nTry: fastvlm-npu --help", unknown_verb(app, words[0]));
  try {
    // CLI11 takes words from the back.
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) return usage_error(app, error);
    std::ostringstream text, nothing;
    app.exit(error, text, nothing);
    return Parsed{.text = text.str()};
  }
  return Parsed{.verb = chosen};
}

}  // namespace fastvlm::cli
