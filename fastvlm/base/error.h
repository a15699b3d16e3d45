// Result and Error: how a bad file or a bad environment is reported. Part of the public library, so it includes little.
//
// Three kinds of failure exist in this project. A bad file or environment is an Error in a Result (here). A model that
// does not fit is a ModelError exception (model_error.h). Our own mistake is FASTVLM_ASSERT (assert.h).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace fastvlm {

// In assert.cc; assert.h has the macro for it.
[[noreturn]] void assertion_failed(const char* condition, const char* what, const char* file, int line);

// The value is the exit code of the program.
enum class ErrorKind {
  kCheckFailed = 1,
  kUsage = 2,
  kBadInput = 3,
  kEnvironment = 4,
  kInterrupted = 130,
};

// One sentence that names the thing that is wrong and what to do about it. Options in it stand in backquotes: `image_size`.
struct Error {
  ErrorKind kind = ErrorKind::kBadInput;
  std::string message;
  std::string option = {};  // the option that is wrong, named as in the options struct ("image_sizes"); empty: none of them

  // The same error, told from one step further out: "<context>: <message>".
  Error within(std::string_view context) && {
    message = std::string(context) + ": " + message;
    return std::move(*this);
  }
};

// A value or an Error. Reading the value of a failed Result is our own bug and stops the program.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    if (!ok()) assertion_failed("ok()", "value() of a failed Result", __FILE__, __LINE__);
    return std::get<0>(state_);
  }
  const T& value() const& {
    if (!ok()) assertion_failed("ok()", "value() of a failed Result", __FILE__, __LINE__);
    return std::get<0>(state_);
  }
  T&& value() && {
    if (!ok()) assertion_failed("ok()", "value() of a failed Result", __FILE__, __LINE__);
    return std::get<0>(std::move(state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    if (ok()) assertion_failed("!ok()", "error() of a good Result", __FILE__, __LINE__);
    return std::get<1>(state_);
  }
  Error error() && {
    if (ok()) assertion_failed("!ok()", "error() of a good Result", __FILE__, __LINE__);
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
    if (ok()) assertion_failed("!ok()", "error() of a good Status", __FILE__, __LINE__);
    return *error_;
  }
  Error error() && {
    if (ok()) assertion_failed("!ok()", "error() of a good Status", __FILE__, __LINE__);
    return *std::move(error_);
  }

 private:
  std::optional<Error> error_;
};

using Status = Result<void>;

}  // namespace fastvlm
