// What a QNN context binary says about itself, read through QnnSystem from the user's runtime, without a device or an SDK.
#pragma once

#include <span>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/targets/compiled_context.h"
#include "fastvlm/targets/qnn/context/qnn_system_abi.h"

namespace fastvlm {

// Reads `context` with libQnnSystem.so. Errors: no file, no library, an archive for several SoCs, bytes that QnnSystem
// refuses (with the reason when the header shows one). Vendor code can crash on damaged bytes, and it did for us with
// three changed ones: call this in a child process when the file is not our own.
Result<ContextInfo> read_context(const Path& context, const Path& qnn_system_library);

// The same from what the library answered. Counts and ranks are held against limits; pointers are believed.
Result<ContextInfo> context_info_of(const qnn_abi::BinaryInfo& info, const std::string& what);

// Why these bytes can be no context: too short, an archive, or shorter than their own header says. Good for others.
Status check_context_header(std::span<const std::byte> bytes, const std::string& what);

}  // namespace fastvlm
