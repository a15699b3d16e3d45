// The second way to a context: the command-line tools of a QAIRT SDK that the user has. Independent of the plug-in: another
// converter, the same HTP library behind it. We make the command lines and the configuration; the tools do the work.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/targets/qnn/compile/compile.h"

namespace fastvlm::qnn {

// Where the tools lie in an unpacked SDK.
struct SdkTools {
  Path converter;      // bin/x86_64-linux-clang/qairt-converter
  Path generator;      // bin/x86_64-linux-clang/qnn-context-binary-generator
  Path backend;        // lib/x86_64-linux-clang/libQnnHtp.so
  Path model_library;  // lib/x86_64-linux-clang/libQnnModelDlc.so
  Path extensions;     // lib/x86_64-linux-clang/libQnnHtpNetRunExtensions.so
};

// Every tool that is missing is named in one Error.
Result<SdkTools> find_sdk_tools(const Path& sdk);

struct SdkCommand {
  Path program;
  std::vector<std::string> arguments;
};

// The commands for one group, in order: each graph to a DLC, then all of them into one context <group>.bin.
struct SdkPlan {
  std::vector<SdkCommand> commands;
  std::string generator_config;  // text of <work>/generator.json
  std::string htp_config;        // text of <work>/htp.json
};
SdkPlan sdk_plan(const SdkTools& tools, const CompileRequest& request, const CompileGroup& group, const Path& work);

// Runs the plans of all groups with the tools in request.sdk; contexts land in request.output_folder as <group>.bin.
Result<std::vector<CompiledGroup>> compile_groups_with_sdk(const CompileRequest& request, Progress& progress);

}  // namespace fastvlm::qnn
