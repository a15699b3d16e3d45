// The templates behind scripts.h, one file each. @NAME@ is filled in; everything else stands as it is read by the shell.
#pragma once

#include <string_view>

namespace fastvlm::device {

extern const std::string_view kSharedFunctions;  // of both scripts
extern const std::string_view kCheckChip;        // of both run.sh
extern const std::string_view kRunScript;
extern const std::string_view kGenieRunScript;
extern const std::string_view kPushScript;
extern const std::string_view kBundlePage;
extern const std::string_view kGeniePage;

}  // namespace fastvlm::device
