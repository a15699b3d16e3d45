// From the plain types of the public headers to those of the floors below. Not installed.
#pragma once

#include "fastvlm/api/runtimes.h"
#include "fastvlm/api/work.h"
#include "fastvlm/base/files.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/result.h"
#include "fastvlm/base/without_exceptions.h"
#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/run/runtimes.h"

namespace fastvlm::api {

RuntimeSearch search_of(const Runtimes& runtimes);
// fastvlm-npu as it was named, or from PATH; empty when it is in neither.
Path program_of(const Runtimes& runtimes);
GraphOpenerOptions opener_of(const std::string& output_dir, const Runtimes& runtimes, unsigned threads);
Progress::Listener listener_of(const Work& work);

}  // namespace fastvlm::api
