// The verbs of the command line. Each function adds one with its options; the files that hold them are verbs_*.cc, the only
// ones besides main.cc and runtime_arguments.cc that include CLI11, which is slow to compile.
#pragma once

#include <functional>

#include "fastvlm/cli/commands.h"

namespace CLI {
class App;
}

namespace fastvlm::cli {

// Where verbs are added. `chosen` becomes what the parsed command line wants to be done; it returns the exit code.
struct VerbSet {
  CLI::App& app;
  CommonArguments& common;
  std::function<int()>& chosen;
};

void add_export(const VerbSet& verbs);
void add_plan(const VerbSet& verbs);
void add_verify(const VerbSet& verbs);
void add_compile(const VerbSet& verbs);
void add_inspect(const VerbSet& verbs);
void add_chat(const VerbSet& verbs);
void add_make_checkpoint(const VerbSet& verbs);
void add_doctor(const VerbSet& verbs);
void add_check_ops(const VerbSet& verbs);
void add_preprocess(const VerbSet& verbs);
void add_tokenize(const VerbSet& verbs);

// In the order of --help.
inline constexpr void (*kVerbs[])(const VerbSet&) = {
    add_export,          add_plan,   add_inspect,   add_verify,     add_compile,  add_chat,
    add_make_checkpoint, add_doctor, add_check_ops, add_preprocess, add_tokenize,
};

}  // namespace fastvlm::cli
