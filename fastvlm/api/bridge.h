// From the plain types of the public headers to those of the floors below. Not installed.
#pragma once

#include <new>
#include <system_error>

#include "fastvlm/api/runtimes.h"
#include "fastvlm/api/work.h"
#include "fastvlm/base/files.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/result.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::api {

RuntimeSearch search_of(const Runtimes& runtimes);
// fastvlm-npu as it was named, or from PATH; empty when it is in neither.
Path program_of(const Runtimes& runtimes);
GraphOpenerOptions opener_of(const std::string& output_dir, const Runtimes& runtimes, unsigned threads);
Progress::Listener listener_of(const Work& work);

// What the floors below throw is an Error to the caller.
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

}  // namespace fastvlm::api
