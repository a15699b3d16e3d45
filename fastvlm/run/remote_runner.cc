#include "fastvlm/run/remote_runner.h"

#include "fastvlm/base/try.h"

// Requests: {"open": what to open} → {"inputs": …, "outputs": …}; {"tensors": …, "wanted": names} → {"tensors": …}. The rows of
// a list of tensors are {"name", "type", "shape"}; their bytes are the parts of the message.
namespace fastvlm {
namespace {

Json row_of(const std::string& name, Dtype dtype, const Shape& shape) {
  return {{"name", name}, {"type", facts(dtype).onnx}, {"shape", shape}};
}

Json infos_json(const std::vector<TensorInfo>& infos) {
  Json rows = Json::array();
  for (const TensorInfo& info : infos) rows.push_back(row_of(info.name, info.dtype, info.shape));
  return rows;
}

Result<std::vector<TensorInfo>> infos_of(const Json& header, std::string_view key, std::string_view what) {
  TRY_ASSIGN(const Json* rows, json_array(header, key, what));
  std::vector<TensorInfo> infos;
  for (const Json& row : *rows) {
    TensorInfo info;
    TRY_ASSIGN(info.name, json_string(row, "name", what));
    TRY_ASSIGN(info.shape, json_integers(row, "shape", what));
    TRY_ASSIGN(const std::int64_t type, json_integer(row, "type", what));
    const auto dtype = type >= 0 && type < 256 ? dtype_from_onnx(static_cast<int>(type)) : std::nullopt;
    if (!dtype) return bad_input("{}: the tensor \"{}\" has the unknown type {}", what, info.name, type);
    info.dtype = *dtype;
    infos.push_back(std::move(info));
  }
  return infos;
}

Json tensors_json(std::span<const NamedTensorView> tensors) {
  Json rows = Json::array();
  for (const NamedTensorView& tensor : tensors) rows.push_back(row_of(tensor.name, tensor.view.dtype, tensor.view.shape));
  return rows;
}

std::vector<Bytes> bytes_of(std::span<const NamedTensorView> tensors) {
  std::vector<Bytes> parts;
  for (const NamedTensorView& tensor : tensors) parts.push_back(tensor.view.bytes);
  return parts;
}

Result<std::vector<NamedTensor>> tensors_of(Message message, std::string_view what) {
  TRY_ASSIGN(std::vector<TensorInfo> infos, infos_of(message.header, "tensors", what));
  if (infos.size() != message.parts.size()) return bad_input("{}: {} tensors, but {} parts", what, infos.size(), message.parts.size());
  std::vector<NamedTensor> tensors;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    const auto elements = checked_element_count(infos[i].shape);
    if (!elements || static_cast<std::uint64_t>(*elements) * byte_size(infos[i].dtype) != message.parts[i].size())
      return bad_input("{}: the tensor \"{}\" of shape {} has {} bytes", what, infos[i].name, to_string(infos[i].shape),
                       message.parts[i].size());
    tensors.push_back({std::move(infos[i].name), {infos[i].dtype, std::move(infos[i].shape), std::move(message.parts[i])}});
  }
  return tensors;
}

Result<Message> open_session(OpenSession open, const Json& session, std::unique_ptr<Runner>& runner) {
  TRY_ASSIGN(runner, open(session));
  return Message{.header = {{"inputs", infos_json(runner->inputs())}, {"outputs", infos_json(runner->outputs())}}};
}

Result<Message> run_session(Message request, Runner* runner) {
  if (runner == nullptr) return bad_usage("no session is open");
  TRY_ASSIGN(const std::vector<std::string> wanted, json_strings(request.header, "wanted", "request"));
  TRY_ASSIGN(const std::vector<NamedTensor> inputs, tensors_of(std::move(request), "request"));
  TRY_ASSIGN(std::vector<NamedTensor> outputs, runner->run(views(inputs), wanted));
  Message answer{.header = {{"tensors", tensors_json(views(outputs))}}};
  for (NamedTensor& output : outputs) answer.parts.push_back(std::move(output.tensor.bytes));
  return answer;
}

constexpr std::string_view kAnswer = "answer of the process that runs the graph";

// Our own child sends no such thing unless somebody writes over its memory.
Error damaged(const Path& model, const Error& problem) {
  return bad_environment("{}: the answer makes no sense ({})", model.filename().string(), problem.message);
}

}  // namespace

Result<std::unique_ptr<RemoteRunner>> RemoteRunner::open(const RemoteRunnerOptions& options) {
  TRY_ASSIGN(WorkerProcess worker, WorkerProcess::start(options.worker));
  std::unique_ptr<RemoteRunner> runner(new RemoteRunner(std::move(worker), options.model));
  TRY_ASSIGN(const Message answer, runner->ask({{"open", options.session}}, {}));
  auto inputs = infos_of(answer.header, "inputs", kAnswer), outputs = infos_of(answer.header, "outputs", kAnswer);
  if (!inputs.ok() || !outputs.ok()) return damaged(options.model, inputs.ok() ? outputs.error() : inputs.error());
  runner->inputs_ = *std::move(inputs);
  runner->outputs_ = *std::move(outputs);
  runner->worker_.set_limits({.heed_interrupt = false});
  return runner;
}

Result<std::vector<NamedTensor>> RemoteRunner::run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) {
  TRY(check_inputs(inputs_, inputs));
  TRY_ASSIGN(Message answer,
             ask({{"tensors", tensors_json(inputs)}, {"wanted", std::vector<std::string>(wanted.begin(), wanted.end())}}, inputs));
  auto outputs = tensors_of(std::move(answer), kAnswer);
  if (!outputs.ok()) return damaged(model_, outputs.error());
  return outputs;
}

Result<Message> RemoteRunner::ask(const Json& request, std::span<const NamedTensorView> tensors) {
  auto answer = worker_.ask(request, bytes_of(tensors));
  if (!answer.ok() && worker_.is_lost()) return std::move(answer).error().within(model_.filename().string());
  return answer;
}

RequestHandler session_handler(OpenSession open) {
  return [open, runner = std::shared_ptr<Runner>()](Message request) mutable -> Result<Message> {
    if (const Json* session = json_find(request.header, "open")) {
      std::unique_ptr<Runner> opened;
      auto answer = open_session(open, *session, opened);
      runner = std::move(opened);
      return answer;
    }
    return run_session(std::move(request), runner.get());
  };
}

}  // namespace fastvlm
