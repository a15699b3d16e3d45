// ModelError: a model that does not fit what the graph functions can build. Ends the request; the verbs of the library
// turn it into an Error.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace fastvlm {

// The message starts with the op and the path of the module, and quotes the offending shapes.
class ModelError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void model_error(std::string_view op, std::string_view path, fmt::format_string<Args...> text, Args&&... args) {
  throw ModelError(fmt::format("[{}] {}: {}", op, path, fmt::format(text, std::forward<Args>(args)...)));
}

}  // namespace fastvlm
