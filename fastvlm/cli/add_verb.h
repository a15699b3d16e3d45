// What the verbs_*.cc files share. Includes CLI11.
#pragma once

#include <CLI/CLI.hpp>

#include <memory>

#include "fastvlm/cli/verbs.h"

namespace fastvlm::cli {

struct VerbText {
  const char* name;
  const char* group;     // heading in --help
  const char* summary;   // one line
  const char* details;   // what a newcomer needs to know, after the options
  const char* examples;  // lines, each indented by two blanks
};

inline constexpr const char* kConvertGroup = "Convert";
inline constexpr const char* kProveGroup = "Look and prove";
inline constexpr const char* kTalkGroup = "Talk";
inline constexpr const char* kToolsGroup = "Tools";

std::string verb_footer(const VerbText& text);

template <class Arguments>
struct Verb {
  CLI::App& app;
  Arguments& arguments;  // lives as long as the app
};

// Adds the subcommand; `run` is called with what was parsed.
template <class Arguments>
Verb<Arguments> add_verb(const VerbSet& verbs, const VerbText& text, int (*run)(const Arguments&, const CommonArguments&)) {
  CLI::App* app = verbs.app.add_subcommand(text.name, text.summary);
  app->group(text.group)->footer(verb_footer(text));
  auto arguments = std::make_shared<Arguments>();
  app->callback([arguments, run, common = &verbs.common, chosen = &verbs.chosen] { *chosen = [=] { return run(*arguments, *common); }; });
  return {*app, *arguments};
}

// A path that must not be empty.
CLI::Option* add_path(CLI::App& verb, const std::string& name, Path& value, const std::string& what);
CLI::Option* add_choice(CLI::App& verb, const std::string& name, std::string& value, std::vector<std::string> choices,
                        const std::string& what);
void add_json(CLI::App& verb, CommonArguments& common);

}  // namespace fastvlm::cli
