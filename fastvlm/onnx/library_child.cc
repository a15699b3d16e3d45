#include "fastvlm/onnx/library_child.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "fastvlm/base/json.h"
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/process/process.h"
#include "fastvlm/process/worker_program.h"

namespace fastvlm {
namespace {

constexpr double kSeconds = 120;  // real models take less than one

// While it lives, large tensors of the model have no numbers: inference reads those of shapes only.
class WithoutWeights {
 public:
  explicit WithoutWeights(onnx::ModelProto& model) : graph_(*model.mutable_graph()) {
    for (auto& tensor : *graph_.mutable_initializer()) {
      onnx::TensorProto& kept = kept_.emplace_back();
      if (tensor.ByteSizeLong() <= kMaxKeptConstant) continue;
      kept.Swap(&tensor);
      tensor.set_name(kept.name());
      tensor.set_data_type(kept.data_type());
      *tensor.mutable_dims() = kept.dims();
      tensor.set_data_location(onnx::TensorProto::EXTERNAL);
    }
  }
  ~WithoutWeights() {
    for (int i = 0; i < graph_.initializer_size(); ++i)
      if (kept_[static_cast<std::size_t>(i)].has_data_type()) kept_[static_cast<std::size_t>(i)].Swap(graph_.mutable_initializer(i));
  }
  WithoutWeights(const WithoutWeights&) = delete;

 private:
  onnx::GraphProto& graph_;
  std::vector<onnx::TensorProto> kept_;  // empty where the tensor stayed whole
};

// Runs the child. Returns "" or how it ended.
std::string run_child(std::vector<std::string> arguments, std::string input) {
  arguments.insert(arguments.begin(), kOnnxVerb);
  auto child =
      run_process({.program = worker_program(), .arguments = std::move(arguments), .input = std::move(input), .timeout_seconds = kSeconds});
  if (!child) return "the ONNX library could not be asked: " + child.error().message;
  if (!child->ok()) return "the ONNX library " + describe(*child);
  return "";
}

}  // namespace

std::string infer_shapes_in_child(onnx::ModelProto& model) {
  auto folder = TemporaryFolder::create();
  if (!folder) return folder.error().message;
  std::string bytes;
  {
    const WithoutWeights slim(model);
    if (model.ByteSizeLong() > kMaxOnnxFile || !model.SerializePartialToString(&bytes)) return "the model is too large";
  }
  const Path answer = folder->path() / "answer";
  std::string problem = run_child({"infer", answer.string()}, std::move(bytes));
  auto text = read_file(answer, kMaxOnnxFile);
  onnx::GraphProto graph;
  // The first of two passes may have left its answer before the second one failed.
  if (!text || !graph.ParsePartialFromString(*text)) return problem.empty() ? "the ONNX library gave no answer" : problem;
  model.mutable_graph()->mutable_value_info()->Swap(graph.mutable_value_info());
  model.mutable_graph()->mutable_output()->Swap(graph.mutable_output());
  return problem.empty() ? graph.doc_string() : problem;
}

std::vector<Finding> check_in_child(const Path& file) {
  auto folder = TemporaryFolder::create();
  if (!folder) return {{Severity::kWarning, "", folder.error().message}};
  const Path answer = folder->path() / "answer";
  if (std::string problem = run_child({"check", answer.string(), file.string()}, ""); !problem.empty())
    return {{Severity::kWarning, "", fmt::format("the ONNX checker and strict shape inference gave no answer: {}", problem)}};
  auto json = read_json_file(answer);
  if (!json) return {{Severity::kWarning, "", json.error().message}};
  std::vector<Finding> findings;
  for (const Json& row : *json)
    findings.push_back({static_cast<Severity>(row.value("severity", 0)), row.value("subject", ""), row.value("message", "")});
  return findings;
}

}  // namespace fastvlm
