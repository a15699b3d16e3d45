// Child processes: vendor libraries and compilers run in one, so that a crash there becomes a sentence here.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

struct ProcessOptions {
  Path program;                                                  // searched on the PATH when it has no slash
  std::vector<std::string> arguments;                            // without the program's own name
  std::vector<std::pair<std::string, std::string>> environment;  // added to ours, or in place of ours
  Path working_folder;                                           // empty: ours
  std::string input;                                             // what the child reads on its standard input
  Path log_file;                                                 // empty: none; else a copy of everything that it prints
  double timeout_seconds = 0;                                    // 0: none
  std::function<void(std::string_view)> on_output_line;          // each line as it comes, without its end
};

struct ProcessResult {
  int exit_code = 0;                 // -1 when a signal ended it
  int signal = 0;                    // 0 when it ended by itself
  std::string output;                // standard output and error in the order of writing; the last 4 MiB
  std::uint64_t peak_rss_bytes = 0;  // exact above our own size, else sampled
  double seconds = 0;

  bool ok() const { return exit_code == 0 && signal == 0; }
};

// Runs a program to its end, without a shell, in a process group of its own that dies with us. A program that cannot be
// started or passes its time limit is an Error of the environment, an interrupt (interrupt.h) one of kInterrupted; in both
// cases the whole group is gone when this returns. A bad exit code is a result, not an error.
Result<ProcessResult> run_process(const ProcessOptions& options);

// "ended with exit code 3", "was killed by signal 11 (Segmentation fault)", with the last line that it printed.
std::string describe(const ProcessResult& result);

// The file of the running program.
Path own_executable();

}  // namespace fastvlm
