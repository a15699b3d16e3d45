// A verb: words for help, a table of options, and what it does. Each verb is one file that makes one of these.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "fastvlm/base/result.h"
#include "fastvlm/cli/option_table.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::cli {

// What every verb knows.
struct CommonArguments {
  bool json = false;
  bool quiet = false;    // no progress
  unsigned threads = 0;  // 0: one per core
  RuntimeSearch runtimes;
};

struct VerbText {
  std::string name;
  std::string group;     // heading in --help
  std::string summary;   // one line
  std::string details;   // what a newcomer needs to know, after the options
  std::string examples;  // lines, each indented by two blanks
};

inline constexpr const char* kConvertGroup = "Convert";
inline constexpr const char* kProveGroup = "Look and prove";
inline constexpr const char* kTalkGroup = "Talk";
inline constexpr const char* kToolsGroup = "Tools";

// 0 done, 1 a check failed, 130 interrupted; every Error has the code of its kind.
using ExitCode = Result<int>;

struct Verb {
  VerbText text;
  OptionTable options;
  std::function<ExitCode()> run;  // after the options have been taken
};

// `fill` adds the rows for Arguments; `run` gets what was parsed.
template <class Arguments>
Verb make_verb(VerbText text, CommonArguments& common, void (*fill)(OptionTable&, Arguments&, CommonArguments&),
               ExitCode (*run)(const Arguments&, const CommonArguments&)) {
  auto arguments = std::make_shared<Arguments>();
  Verb verb{.text = std::move(text), .options = {}, .run = [arguments, run, &common] { return run(*arguments, common); }};
  fill(verb.options, *arguments, common);
  return verb;
}

// --json.
void add_json(OptionTable& options, CommonArguments& common);

// --ort-library, --qnn-plugin and --cache, with FASTVLM_NPU_ORT_LIBRARY, FASTVLM_NPU_QNN_PLUGIN and FASTVLM_NPU_CACHE behind them.
void add_runtime_options(OptionTable& options, CommonArguments& common);

// Fills in the cache folder when neither option nor variable named one: below XDG_CACHE_HOME or HOME.
void complete_from_environment(RuntimeSearch& search);

// --threads and --quiet, which stand before or after any verb.
OptionTable common_options(CommonArguments& common);

// What help says below the options: details, examples, exit codes.
std::string verb_footer(const VerbText& text);

}  // namespace fastvlm::cli
