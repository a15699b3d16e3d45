#include "fastvlm/onnx/library_child.h"

#include <onnx/onnx_pb.h>

#include <algorithm>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/process/worker_program.h"

namespace fastvlm {
namespace {

constexpr double kSeconds = 120;  // real models take less than one
constexpr std::uint64_t kMemory = std::uint64_t{6} << 30;

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

Result<WorkerProcess> start_child() {
  auto child = WorkerProcess::start({.program = worker_program(),
                                     .worker = kOnnxWorker,
                                     .called = "the ONNX library",
                                     .limits = {.seconds = kSeconds, .memory_bytes = kMemory}});
  if (!child.ok()) return std::move(child).error().within("the ONNX library could not be asked");
  return child;
}

Result<std::string> bytes_of(onnx::ModelProto& model) {
  std::string bytes;
  const WithoutWeights slim(model);
  if (model.ByteSizeLong() > kMaxOnnxFile || !model.SerializePartialToString(&bytes)) return bad_input("the model is too large");
  return bytes;
}

// One pass; what it found goes into `model`. Returns what is wrong, or "".
std::string infer_in(WorkerProcess& child, bool follow_numbers, onnx::ModelProto& model) {
  const auto bytes = bytes_of(model);
  if (!bytes.ok()) return bytes.error().message;
  const Bytes parts[] = {as_bytes(*bytes)};
  auto answer = child.ask({{"infer", {{"follow_numbers", follow_numbers}}}}, parts);
  if (!answer.ok()) return answer.error().message;
  onnx::GraphProto graph;
  auto note = json_string(answer->header, "note", "the ONNX library");
  if (!note.ok() || answer->parts.size() != 1 ||
      !graph.ParsePartialFromArray(answer->parts[0].data(), static_cast<int>(answer->parts[0].size())))
    return "the ONNX library gave an answer that cannot be read";
  model.mutable_graph()->mutable_value_info()->Swap(graph.mutable_value_info());
  model.mutable_graph()->mutable_output()->Swap(graph.mutable_output());
  return *note;
}

Result<std::map<int, std::string>> ask_for_faults(WorkerProcess& child, onnx::ModelProto& model) {
  TRY_ASSIGN(const std::string bytes, bytes_of(model));
  const Bytes parts[] = {as_bytes(bytes)};
  TRY_ASSIGN(const Message answer, child.ask({{"faults", true}}, parts));
  TRY_ASSIGN(const Json* rows, json_array(answer.header, "faults", "the ONNX library"));
  std::map<int, std::string> faults;
  for (const Json& row : *rows) {
    TRY_ASSIGN(const std::int64_t node, json_integer(row, "node", "the ONNX library"));
    TRY_ASSIGN(faults[static_cast<int>(node)], json_string(row, "fault", "the ONNX library"));
  }
  return faults;
}

Result<std::vector<Finding>> ask_checker(const Path& file) {
  TRY_ASSIGN(WorkerProcess child, start_child());
  TRY_ASSIGN(const Message answer, child.ask({{"check", file.string()}}));
  TRY_ASSIGN(const Json* rows, json_array(answer.header, "findings", "the ONNX library"));
  std::vector<Finding> findings;
  for (const Json& row : *rows) {
    TRY_ASSIGN(const std::int64_t severity, json_integer(row, "severity", "the ONNX library"));
    TRY_ASSIGN(std::string subject, json_string(row, "subject", "the ONNX library"));
    TRY_ASSIGN(std::string message, json_string(row, "message", "the ONNX library"));
    findings.push_back({static_cast<Severity>(severity), std::move(subject), std::move(message)});
  }
  return findings;
}

}  // namespace

std::string infer_shapes_in_child(onnx::ModelProto& model, std::map<int, std::string>* faults) {
  auto child = start_child();
  if (!child.ok()) return child.error().message;
  std::string problem = infer_in(*child, /*follow_numbers=*/false, model);
  // Again with the numbers of shapes, such as the target of a Reshape that is computed from a Shape; this builds on the types that the
  // first pass found. Where it fails, those stay.
  if (problem.empty()) problem = infer_in(*child, /*follow_numbers=*/true, model);
  if (faults == nullptr) return problem;
  // What inference cannot stand may be a fault that can be told.
  auto next = child->is_lost() ? start_child() : std::move(child);
  if (!next.ok()) return problem;
  if (auto found = ask_for_faults(*next, model); found.ok()) *faults = *std::move(found);
  return problem;
}

std::vector<Finding> check_in_child(const Path& file) {
  auto findings = ask_checker(file);
  if (findings.ok()) return *std::move(findings);
  return {
      {Severity::kWarning, "", fmt::format("the ONNX checker and strict shape inference gave no answer: {}", findings.error().message)}};
}

}  // namespace fastvlm
