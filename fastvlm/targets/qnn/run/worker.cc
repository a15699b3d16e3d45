#include "fastvlm/targets/qnn/run/worker.h"

#include "fastvlm/base/try.h"
#include "fastvlm/targets/qnn/run/backend.h"

namespace fastvlm::qnn {
namespace {

constexpr std::uint64_t kMaxHeader = std::uint64_t{16} << 20;
constexpr std::uint64_t kMaxTensor = std::uint64_t{8} << 30;

OrderedJson infos_json(const std::vector<TensorInfo>& infos) {
  OrderedJson rows = OrderedJson::array();
  for (const TensorInfo& info : infos) rows.push_back({{"name", info.name}, {"type", facts(info.dtype).onnx}, {"shape", info.shape}});
  return rows;
}

OrderedJson failure(const Error& error) { return {{"ok", false}, {"kind", static_cast<int>(error.kind)}, {"message", error.message}}; }

// State of the child: at most one open session.
class Session {
 public:
  OrderedJson open(const Json& request) {
    auto opened = try_open(request);
    if (!opened) return failure(opened.error());
    return {{"ok", true}, {"inputs", infos_json(runner_->inputs())}, {"outputs", infos_json(runner_->outputs())}};
  }

  Result<std::vector<NamedTensor>> run(const Message& request) {
    if (runner_ == nullptr) return bad_usage("no session is open");
    std::vector<std::string> wanted = request.header.value("wanted", std::vector<std::string>());
    return runner_->run(views(request.tensors), wanted);
  }

 private:
  Status try_open(const Json& request) {
    const RuntimePaths paths{.onnxruntime_library = request.value("onnxruntime", ""),
                             .qnn_plugin = request.value("plugin", ""),
                             .qnn_folder = request.value("qnn_folder", "")};
    const Path model = request.value("model", "");
    if (request.value("soc_model", 0) == 0) {
      TRY_ASSIGN(runtime_, OrtRuntime::load(paths.onnxruntime_library));
      TRY_ASSIGN(runner_, OrtRunner::open(runtime_, model));
      return {};
    }
    TRY_ASSIGN(runtime_, load_backend(paths));
    TRY_ASSIGN(runner_,
               open_session(runtime_, paths, model, {.soc_model = request.value("soc_model", 0), .context = request.value("context", "")}));
    return {};
  }

  std::shared_ptr<OrtRuntime> runtime_;
  std::unique_ptr<OrtRunner> runner_;
};

OrderedJson tensors_json(std::span<const NamedTensorView> tensors) {
  OrderedJson rows = OrderedJson::array();
  for (const NamedTensorView& tensor : tensors)
    rows.push_back({{"name", tensor.name}, {"type", facts(tensor.view.dtype).onnx}, {"shape", tensor.view.shape}});
  return rows;
}

std::optional<NamedTensor> receive_tensor(Channel& channel, const Json& row) {
  auto dtype = dtype_from_onnx(row.value("type", 0));
  Shape shape = row.value("shape", Shape());
  auto elements = checked_element_count(shape);
  if (!dtype || !elements || static_cast<std::uint64_t>(*elements) * byte_size(*dtype) > kMaxTensor) return std::nullopt;
  NamedTensor tensor{row.value("name", ""), Tensor::zeros(*dtype, std::move(shape))};
  if (!channel.receive(tensor.tensor.bytes)) return std::nullopt;
  return tensor;
}

}  // namespace

bool send_message(Channel& channel, const OrderedJson& header, std::span<const NamedTensorView> tensors) {
  OrderedJson full = header;
  full["tensors"] = tensors_json(tensors);
  const std::string text = full.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  const std::uint64_t size = text.size();
  if (!channel.send(std::as_bytes(std::span(&size, 1))) || !channel.send(as_bytes(text))) return false;
  for (const NamedTensorView& tensor : tensors)
    if (!channel.send(tensor.view.bytes)) return false;
  return true;
}

std::optional<Message> receive_message(Channel& channel) {
  std::uint64_t size = 0;
  if (!channel.receive(std::as_writable_bytes(std::span(&size, 1))) || size > kMaxHeader) return std::nullopt;
  std::string text(size, '\0');
  if (!channel.receive(std::as_writable_bytes(std::span(text.data(), text.size())))) return std::nullopt;
  Message message;
  message.header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!message.header.is_object()) return std::nullopt;
  for (const Json& row : message.header.value("tensors", Json::array())) {
    auto tensor = receive_tensor(channel, row);
    if (!tensor) return std::nullopt;
    message.tensors.push_back(std::move(*tensor));
  }
  return message;
}

int serve_session(int descriptor) {
  Channel channel(descriptor);
  Session session;
  while (auto request = receive_message(channel)) {
    const std::string op = request->header.value("op", "");
    bool sent = false;
    if (op == "open") {
      sent = send_message(channel, session.open(request->header), {});
    } else if (op == "run") {
      auto outputs = session.run(*request);
      sent = outputs.ok() ? send_message(channel, {{"ok", true}}, views(*outputs)) : send_message(channel, failure(outputs.error()), {});
    }
    if (!sent) break;
  }
  return 0;
}

}  // namespace fastvlm::qnn
