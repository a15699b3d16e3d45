// Errors made of a format string; Result and Error themselves are in error.h.
#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
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
// `option` has a wrong value: "`image_size` <text>". Options are named as in the options structs, and in backquotes wherever a
// sentence speaks of one; a program writes its own spelling there (--image-size).
template <class... Args>
Error bad_option(std::string_view option, fmt::format_string<Args...> text, Args&&... args) {
  return {ErrorKind::kUsage, fmt::format("`{}` {}", option, fmt::format(text, std::forward<Args>(args)...)), std::string(option)};
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
