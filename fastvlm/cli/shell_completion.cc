#include "fastvlm/cli/shell_completion.h"

#include <fmt/format.h>

namespace fastvlm::cli {
namespace {

std::string joined(const std::vector<std::string>& words) { return fmt::format("{}", fmt::join(words, " ")); }

// The words that a shell offers as the value; empty: none are known.
std::vector<std::string> offered(const CommandTables& tables, const Option& option) {
  if (!option.choices.empty()) return option.choices;
  return option.completes == Completes::kChip ? tables.chips : std::vector<std::string>();
}

std::vector<std::string> option_names(const CommandTables& tables, const OptionTable& options) {
  std::vector<std::string> names = {"--help"};
  for (const OptionTable* table : {&options, &tables.common})
    for (const Option& option : table->rows())
      if (!option.is_positional()) names.push_back(option.name);
  return names;
}

std::vector<std::string> verb_names(const CommandTables& tables) {
  std::vector<std::string> names;
  for (const Verb& verb : tables.verbs) names.push_back(verb.text.name);
  return names;
}

// Inside single quotes of a shell, with a backslash before each of `special`.
std::string quoted(const std::string& text, std::string_view special = "") {
  std::string result;
  for (char c : text) {
    if (c == '\'')
      result += "'\\''";
    else if (special.find(c) != std::string_view::npos)
      result += std::string("\\") + c;
    else
      result += c;
  }
  return result;
}

const Option* first_word(const Verb& verb) {
  for (const Option& option : verb.options.rows())
    if (option.is_positional()) return &option;
  return nullptr;
}

// `case` branches of bash that answer with the values of an option.
std::string bash_values(const CommandTables& tables, const std::string& verb, const OptionTable& options) {
  std::string text;
  for (const Option& option : options.rows()) {
    if (option.is_flag() || option.is_positional()) continue;
    std::string reply = ":";
    if (const auto words = offered(tables, option); !words.empty())
      reply = fmt::format("_fastvlm_npu_words '{}'", joined(words));
    else if (option.completes == Completes::kPath || option.completes == Completes::kFolder)
      reply = fmt::format("_fastvlm_npu_files {}", option.completes == Completes::kFolder ? "-d" : "-f");
    text += fmt::format("    {},{}) {}; return ;;\n", verb, option.name, reply);
  }
  return text;
}

std::string zsh_value(const CommandTables& tables, const Option& option) {
  if (option.is_flag()) return "";
  std::string action;
  if (const auto words = offered(tables, option); !words.empty())
    action = "(" + joined(words) + ")";
  else if (option.completes == Completes::kFolder)
    action = "_files -/";
  else if (option.completes == Completes::kPath)
    action = "_files";
  return ":" + quoted(option.type, ":[]|") + ":" + action;
}

std::string zsh_rows(const CommandTables& tables, const OptionTable& options) {
  std::string text;
  for (const Option& option : options.rows()) {
    if (option.is_positional())
      text += fmt::format(" \\\n        '1{}'", zsh_value(tables, option));
    else
      text += fmt::format(" \\\n        '{}{}[{}]{}'", option.list ? "*" : "", option.name, quoted(option.help, ":[]\\"),
                          zsh_value(tables, option));
  }
  return text;
}

std::string fish_rows(const CommandTables& tables, const OptionTable& options, const std::string& condition) {
  std::string text;
  for (const Option& option : options.rows()) {
    std::string value;
    if (const auto words = offered(tables, option); !words.empty())
      value = fmt::format(" -x -a '{}'", joined(words));
    else if (option.completes == Completes::kFolder)
      value = " -x -a '(__fish_complete_directories)'";
    else if (option.completes == Completes::kPath)
      value = " -r -F";
    else if (!option.is_flag())
      value = " -x";
    if (option.is_positional()) {
      text += fmt::format("complete -c fastvlm-npu{}{} -d '{}'\n", condition, option.choices.empty() ? " -F" : value,
                          quoted(option.help, "\\"));
      continue;
    }
    text += fmt::format("complete -c fastvlm-npu{} -l {}{} -d '{}'\n", condition, option.name.substr(2), value, quoted(option.help, "\\"));
  }
  return text;
}

}  // namespace

std::string bash_completion(const CommandTables& tables) {
  std::string text =
      "# bash completion for fastvlm-npu; made by: fastvlm-npu completion bash\n"
      "_fastvlm_npu_words() { COMPREPLY=($(compgen -W \"$1\" -- \"$word\")); }\n"
      "_fastvlm_npu_files() {\n"
      "  compopt -o filenames 2>/dev/null\n"
      "  local IFS=$'\\n'\n"
      "  COMPREPLY=($(compgen \"$1\" -- \"$word\"))\n"
      "}\n"
      "_fastvlm_npu() {\n"
      "  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb= i\n"
      "  COMPREPLY=()\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n";
  text += fmt::format("    case ${{COMP_WORDS[i]}} in {}) verb=${{COMP_WORDS[i]}}; break ;; esac\n", fmt::join(verb_names(tables), "|"));
  text += "  done\n  case $verb,$before in\n";
  for (const Verb& verb : tables.verbs) text += bash_values(tables, verb.text.name, verb.options);
  text += bash_values(tables, "*", tables.common);
  text += "  esac\n  case $verb in\n";
  for (const Verb& verb : tables.verbs) {
    text += fmt::format("    {})\n", verb.text.name);
    const Option* place = first_word(verb);
    if (place != nullptr) {
      const auto words = offered(tables, *place);
      text += fmt::format("      if [[ $word != -* ]]; then {}; return; fi\n",
                          words.empty() ? "_fastvlm_npu_files -f" : fmt::format("_fastvlm_npu_words '{}'", joined(words)));
    }
    text += fmt::format("      _fastvlm_npu_words '{}' ;;\n", joined(option_names(tables, verb.options)));
  }
  text += fmt::format("    *) _fastvlm_npu_words '{} help version --version {}' ;;\n", joined(verb_names(tables)),
                      joined(option_names(tables, {})));
  return text + "  esac\n}\ncomplete -F _fastvlm_npu fastvlm-npu\n";
}

std::string zsh_completion(const CommandTables& tables) {
  std::string text =
      "#compdef fastvlm-npu\n"
      "# made by: fastvlm-npu completion zsh\n"
      "_fastvlm_npu() {\n"
      "  local state line\n"
      "  typeset -A opt_args\n"
      "  _arguments -C '--help[Show help]' '--version[Show the version]'" +
      zsh_rows(tables, tables.common) +
      " \\\n        '1: :->verb' '*:: :->rest'\n"
      "  case $state in\n"
      "    verb)\n"
      "      local -a verbs=(\n";
  for (const Verb& verb : tables.verbs) text += fmt::format("        '{}:{}'\n", verb.text.name, quoted(verb.text.summary, ":"));
  text +=
      "        'help:Show help' 'version:Show the version')\n"
      "      _describe verb verbs ;;\n"
      "    rest)\n"
      "      case $line[1] in\n";
  for (const Verb& verb : tables.verbs)
    text += fmt::format("        {}) _arguments '--help[Show help]'{}{} ;;\n", verb.text.name, zsh_rows(tables, verb.options),
                        zsh_rows(tables, tables.common));
  return text + "      esac ;;\n  esac\n}\n_fastvlm_npu \"$@\"\n";
}

std::string fish_completion(const CommandTables& tables) {
  std::string text = "# fish completion for fastvlm-npu; made by: fastvlm-npu completion fish\n";
  const std::string names = joined(verb_names(tables));
  text += fmt::format("set -l verbs {}\n", names);
  for (const Verb& verb : tables.verbs)
    text += fmt::format("complete -c fastvlm-npu -f -n \"not __fish_seen_subcommand_from $verbs\" -a {} -d '{}'\n", verb.text.name,
                        quoted(verb.text.summary, "\\"));
  text += "complete -c fastvlm-npu -f -n \"not __fish_seen_subcommand_from $verbs\" -l version -d 'Show the version'\n";
  text += "complete -c fastvlm-npu -l help -d 'Show help'\n" + fish_rows(tables, tables.common, "");
  for (const Verb& verb : tables.verbs)
    text += fish_rows(tables, verb.options, fmt::format(" -n '__fish_seen_subcommand_from {}'", verb.text.name));
  return text;
}

}  // namespace fastvlm::cli
