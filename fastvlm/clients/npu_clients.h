// The texts of the two clients of the layout npu. Words between '@' are the model's facts, see npu_layout.cc.
#pragma once

namespace fastvlm::clients {

extern const char* const kPythonClient;
extern const char* const kCppClient;

}  // namespace fastvlm::clients
