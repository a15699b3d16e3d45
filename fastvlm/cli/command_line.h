// From words to a verb that is ready to run.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "fastvlm/cli/verb.h"

namespace fastvlm::cli {

// A verb to run, or a text that was asked for instead (--help, --version).
struct Parsed {
  const Verb* verb = nullptr;
  std::string text;
};

// `arguments` without the program's name. Options go to the variables of the tables. An Error of wrong usage names the word
// that is not understood and what it may have meant.
Result<Parsed> parse_command_line(std::span<const std::string> arguments, std::vector<Verb>& verbs, OptionTable& common);

}  // namespace fastvlm::cli
