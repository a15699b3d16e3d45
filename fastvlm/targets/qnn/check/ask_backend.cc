#include "fastvlm/targets/qnn/check/ask_backend.h"

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

namespace fastvlm::qnn {
namespace {

// Files of the child are called after the graph; the model's own name may be anything.
constexpr const char* kGraph = "model";

// "Acos \"y\": Operators of type `Acos` are not supported" and how many more.
std::string sentence_of(const std::vector<RefusedNode>& refused) {
  const RefusedNode& first = refused.front();
  const std::string reason = first.reason.substr(0, first.reason.find_first_of(".\n"));
  const std::string label = first.name.empty() ? first.type : fmt::format("{} \"{}\"", first.type, first.name);
  const std::string more = refused.size() == 1 ? "" : fmt::format("; and {} more", refused.size() - 1);
  return fmt::format("{}: {}{}", label, reason, more);
}

// The file to compile: the one that was named, or a copy with fixed inputs.
Result<ChildCompilation> compilation_of(const CompilerQuestion& question, const Path& work) {
  ChildCompilation compilation{.program = question.program,
                               .runtimes = question.runtimes,
                               .soc = &soc_of(*question.chip),
                               .output_folder = work,
                               .graphs = {kGraph},
                               .model = question.model,
                               .limits = {.seconds = question.timeout_seconds}};
  if (question.freezes.empty()) return compilation;
  TRY_ASSIGN(const std::string bytes, frozen_model(question.model, question.freezes));
  compilation.model = work / "frozen.onnx";
  TRY(write_file_atomically(compilation.model, bytes));
  std::error_code ignored;
  compilation.data_folder = std::filesystem::absolute(question.model, ignored).parent_path();
  return compilation;
}

}  // namespace

Result<CompilerAnswer> ask_backend(const CompilerQuestion& question) {
  // The compiler makes an empty context of such a file and then complains about that.
  TRY_ASSIGN(const OnnxModel model, read_onnx(question.model, {.infer_shapes = false}));
  if (model.outputs.empty()) return CompilerAnswer{.sentence = "the model has no outputs, so there is nothing to compile"};
  TRY_ASSIGN(const TemporaryFolder work, TemporaryFolder::create());
  TRY_ASSIGN(const ChildCompilation compilation, compilation_of(question, work.path()));
  auto outcome = compile_in_child(compilation);
  CompilerAnswer answer{.accepted = outcome.ok()};
  if (auto refused = read_refused_nodes(work.path() / (std::string(kGraph) + ".qnn") / "qnn_op_trace.json"); refused.ok())
    answer.refused = std::move(*refused);
  if (answer.accepted) return answer;
  // A refusal or a crash is an answer; a missing runtime is not.
  const Error& error = outcome.error();
  if (error.kind != ErrorKind::kBadInput && error.kind != ErrorKind::kCheckFailed) return error;
  const bool named = error.kind == ErrorKind::kBadInput && !answer.refused.empty();
  answer.sentence = named ? sentence_of(answer.refused) : error.message;
  return answer;
}

}  // namespace fastvlm::qnn
