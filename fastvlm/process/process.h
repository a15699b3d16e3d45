// A program that is run to its end: pip, the tools of an SDK.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/process/spawn.h"

namespace fastvlm {

struct ProcessOptions {
  Path program;                                                  // searched on the PATH when it has no slash
  std::vector<std::string> arguments;                            // without the program's own name
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, or in place of ours
  Path working_folder;                                           // empty: ours
  std::string input;                                             // what the child reads on its standard input
  Path log_file;                                                 // empty: none; else a copy of everything that it prints
  ProcessLimits limits;
  std::function<void(std::string_view)> on_output_line;  // each line as it comes, without its end
};

struct ProcessResult {
  int exit_code = 0;  // these as in ProcessEnd
  int signal = 0;
  std::string output;  // standard output and error in the order of writing; the last 4 MiB
  std::uint64_t peak_rss_bytes = 0;
  double seconds = 0;

  bool ok() const { return exit_code == 0 && signal == 0; }
};

// Runs a program to its end, without a shell. A program that cannot be started or passes a limit is an Error of the
// environment, a requested stop one of kInterrupted; in all cases the whole group is gone when this returns. A bad exit code
// is a result, not an error.
Result<ProcessResult> run_process(const ProcessOptions& options);

// "ended with exit code 3", "was killed by signal 11 (Segmentation fault)", with the last line that it printed.
std::string describe(const ProcessResult& result);

}  // namespace fastvlm
