#pragma once

namespace fastvlm {
inline constexpr const char* kVersion = "0.1.0";
}
