// Completion scripts for shells and the manual page, made from the option tables.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/cli/verb.h"

namespace fastvlm::cli {

struct CommandTables {
  std::vector<Verb> verbs;
  OptionTable common;
  std::vector<std::string> chips;  // offered where a chip is asked for
};

std::string bash_completion(const CommandTables& tables);
std::string zsh_completion(const CommandTables& tables);
std::string fish_completion(const CommandTables& tables);

// roff source of fastvlm-npu(1).
std::string manual_page(const CommandTables& tables);

}  // namespace fastvlm::cli
