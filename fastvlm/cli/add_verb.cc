#include "fastvlm/cli/add_verb.h"

namespace fastvlm::cli {

std::string verb_footer(const VerbText& text) {
  std::string footer = text.details;
  if (!footer.empty()) footer += "\n\n";
  footer += "Example:\n";
  footer += text.examples;
  footer += "\n\nExit codes: 0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment, 130 interrupted.";
  return footer;
}

CLI::Option* add_path(CLI::App& verb, const std::string& name, Path& value, const std::string& what) {
  CLI::Validator not_empty([](std::string& text) { return text.empty() ? std::string("the path is empty") : std::string(); }, "");
  return verb.add_option(name, value, what)->type_name("PATH")->check(not_empty);
}

CLI::Option* add_choice(CLI::App& verb, const std::string& name, std::string& value, std::vector<std::string> choices,
                        const std::string& what) {
  std::string type;
  for (const std::string& choice : choices) type += (type.empty() ? "" : "|") + choice;
  CLI::Validator known(
      [choices = std::move(choices), type](std::string& text) {
        const bool found = std::find(choices.begin(), choices.end(), text) != choices.end();
        return found ? std::string() : "\"" + text + "\" is not one of " + type;
      },
      "");
  return verb.add_option(name, value, what)->type_name(type)->check(known)->capture_default_str();
}

void add_json(CLI::App& verb, CommonArguments& common) { verb.add_flag("--json", common.json, "Print JSON, for other programs"); }

}  // namespace fastvlm::cli
