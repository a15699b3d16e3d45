// FASTVLM_ASSERT: our own bug, out of reach of any input. Always on; prints the place and aborts.
#pragma once

namespace fastvlm {
[[noreturn]] void assertion_failed(const char* condition, const char* what, const char* file, int line);
}

#define FASTVLM_ASSERT(condition, what) ((condition) ? void() : ::fastvlm::assertion_failed(#condition, what, __FILE__, __LINE__))
