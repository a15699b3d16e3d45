#include "fastvlm/cli/hidden_verbs.h"

#include <cstdlib>
#include <string_view>

#include "fastvlm/inspect/doctor.h"
#include "fastvlm/inspect/inspect_context.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/run/worker.h"

namespace fastvlm::cli {
namespace {

struct HiddenVerb {
  std::string_view name;
  std::size_t least_arguments;
  int (*run)(std::span<char* const> arguments);
};
constexpr HiddenVerb kHiddenVerbs[] = {
    {qnn::kWorkerVerb, 1, [](std::span<char* const> a) { return qnn::serve_session(std::atoi(a[0])); }},
    {qnn::kCompileVerb, 0, [](std::span<char* const>) { return qnn::compile_worker_main(); }},
    {kContextVerb, 2, [](std::span<char* const> a) { return context_worker_main(a[0], a[1]); }},
    {kOnnxVerb, 2, [](std::span<char* const> a) { return onnx_worker_main(a); }},
    {kLoadVerb, 1, [](std::span<char* const> a) { return load_worker_main(a[0], a.size() > 1 ? a[1] : ""); }},
};

}  // namespace

std::optional<int> run_hidden_verb(std::span<char* const> arguments) {
  if (arguments.empty()) return std::nullopt;
  for (const HiddenVerb& verb : kHiddenVerbs)
    if (verb.name == arguments[0] && arguments.size() > verb.least_arguments) return verb.run(arguments.subspan(1));
  return std::nullopt;
}

}  // namespace fastvlm::cli
