// The templates behind scripts.h, one file each; what both run.sh have is in run_script_parts.cc. @NAME@ is filled in; everything else
// stands as it is read by the shell.
#pragma once

#include <string_view>

namespace fastvlm::device {

extern const std::string_view kSharedFunctions;  // of both scripts
// With marks for what is different: the first lines, the chip of the machine, this program, the command line, the files.
extern const std::string_view kRunHead, kCheckChip, kFindProgram, kReadOptions, kCheckFirst;
extern const std::string_view kRunScript;
extern const std::string_view kGenieRunScript;
extern const std::string_view kPushScript;
extern const std::string_view kBundlePage;
extern const std::string_view kGeniePage;

}  // namespace fastvlm::device
