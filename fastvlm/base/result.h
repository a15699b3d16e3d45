// Result and Error: how a bad file or a bad environment is reported.
//
// Three kinds of failure exist in this project. A bad file or environment is an Error in a Result (here). A model that
// does not fit is a ModelError exception (model_error.h). Our own mistake is FASTVLM_ASSERT (assert.h).
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "fastvlm/base/assert.h"

namespace fastvlm {

// The value is the exit code of the program.
enum class ErrorKind {
  kCheckFailed = 1,
  kUsage = 2,
  kBadInput = 3,
  kEnvironment = 4,
  kInterrupted = 130,
};

// One sentence that names the thing that is wrong and what to do about it.
struct Error {
  ErrorKind kind = ErrorKind::kBadInput;
  std::string message;

  // The same error, told from one step further out: "<context>: <message>".
  Error within(std::string_view context) && {
    message = fmt::format("{}: {}", context, message);
    return std::move(*this);
  }
};

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

// A value or an Error. Reading the value of a failed Result is our own bug and stops the program.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    FASTVLM_ASSERT(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  const T& value() const& {
    FASTVLM_ASSERT(ok(), "value() of a failed Result");
    return std::get<0>(state_);
  }
  T&& value() && {
    FASTVLM_ASSERT(ok(), "value() of a failed Result");
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    FASTVLM_ASSERT(!ok(), "error() of a good Result");
    return std::get<1>(state_);
  }
  Error error() && {
    FASTVLM_ASSERT(!ok(), "error() of a good Result");
    return std::get<1>(std::move(state_));
  }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const& {
    FASTVLM_ASSERT(!ok(), "error() of a good Status");
    return *error_;
  }
  Error error() && {
    FASTVLM_ASSERT(!ok(), "error() of a good Status");
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace fastvlm
