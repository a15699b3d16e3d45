// Errors made of a format string; Result and Error themselves are in error.h.
#pragma once

#include <fmt/core.h>

#include <utility>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/error.h"

namespace fastvlm {

template <class... Args>
Error bad_input(fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::kBadInput, fmt::format(text, std::forward<Args>(args)...)};
}
template <class... Args>
Error bad_usage(fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::kUsage, fmt::format(text, std::forward<Args>(args)...)};
}
template <class... Args>
Error bad_environment(fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::kEnvironment, fmt::format(text, std::forward<Args>(args)...)};
}
template <class... Args>
Error check_failed(fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::kCheckFailed, fmt::format(text, std::forward<Args>(args)...)};
}

}  // namespace fastvlm
