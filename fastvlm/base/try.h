// Early return from a function that returns a Result. Included by .cc files only, so that no header of the library leaks a macro.
#pragma once

#include <utility>

#include "fastvlm/base/result.h"

// Early return, the only macros of the project besides FASTVLM_ASSERT.
//   TRY(status_expression);
//   TRY_ASSIGN(auto value, result_expression);
#define FASTVLM_CONCAT_INNER(a, b) a##b
#define FASTVLM_CONCAT(a, b) FASTVLM_CONCAT_INNER(a, b)
#define TRY(expression)                                         \
  do {                                                          \
    auto try_result = (expression);                             \
    if (!try_result.ok()) return std::move(try_result).error(); \
  } while (false)
#define TRY_ASSIGN(declaration, expression)                                                                         \
  auto FASTVLM_CONCAT(try_result_, __LINE__) = (expression);                                                        \
  if (!FASTVLM_CONCAT(try_result_, __LINE__).ok()) return std::move(FASTVLM_CONCAT(try_result_, __LINE__)).error(); \
  declaration = std::move(FASTVLM_CONCAT(try_result_, __LINE__)).value()
