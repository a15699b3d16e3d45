// The border where exceptions end: what the folders throw becomes an Error.
#pragma once

#include <new>
#include <system_error>

#include "fastvlm/base/model_error.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

// What `function` returns, or the Error that stands for what it threw: a model that does not fit is bad input, short memory and what
// the system refused are the environment's. Anything else passes through.
template <class T, class Function>
Result<T> without_exceptions(Function&& function) {
  try {
    return function();
  } catch (const ModelError& error) {
    return bad_input("{}", error.what());
  } catch (const std::bad_alloc&) {
    return bad_environment("out of memory; close other programs or take a smaller model");
  } catch (const std::system_error& error) {
    return bad_environment("{}", error.what());
  }
}

}  // namespace fastvlm
