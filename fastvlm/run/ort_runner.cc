#include "fastvlm/run/ort_runner.h"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/run/linked_data.h"
#include "fastvlm/run/watch_operator.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxModelBytes = std::size_t{1} << 31;  // of one protobuf message
constexpr GraphOptimizationLevel kLevels[] = {ORT_DISABLE_ALL, ORT_ENABLE_BASIC, ORT_ENABLE_EXTENDED, ORT_ENABLE_ALL};

// The environment of the runtime in the dress that the C++ interface asks for, without owning it.
class BorrowedEnv {
 public:
  explicit BorrowedEnv(const OrtRuntime& runtime) : env_(runtime.environment()) {}
  BorrowedEnv(const BorrowedEnv&) = delete;
  ~BorrowedEnv() { env_.release(); }
  Ort::Env& get() { return env_; }

 private:
  Ort::Env env_;
};

// A zero-size tensor still needs an address.
void* address_of(std::span<const std::byte> bytes) {
  static std::byte nothing[64];
  return bytes.empty() ? nothing : const_cast<std::byte*>(bytes.data());
}

Status append_provider(Ort::SessionOptions& session, Ort::Env& env, const ExecutionProvider& provider) {
  std::vector<Ort::ConstEpDevice> devices;
  for (Ort::ConstEpDevice device : env.GetEpDevices())
    if (provider.name == device.EpName()) devices.push_back(device);
  if (devices.empty()) return bad_environment("ONNX Runtime offers no device for \"{}\"; register its plug-in first", provider.name);
  // Several entries of one provider describe several devices; one is what a session takes.
  devices.resize(1);
  const std::unordered_map<std::string, std::string> provider_options(provider.options.begin(), provider.options.end());
  session.AppendExecutionProvider_V2(env, devices, provider_options);
  return {};
}

Status configure(Ort::SessionOptions& session, Ort::Env& env, const OrtRunnerOptions& options) {
  // Why a plug-in refuses a node is told at the lowest level only; the runtime keeps these messages and drops the rest.
  session.SetLogSeverityLevel(options.provider ? ORT_LOGGING_LEVEL_VERBOSE : ORT_LOGGING_LEVEL_WARNING);
  session.SetGraphOptimizationLevel(kLevels[static_cast<std::size_t>(options.optimization)]);
  if (options.threads > 0) session.SetIntraOpNumThreads(options.threads);
  if (options.disable_prepacking) session.AddConfigEntry("session.disable_prepacking", "1");
  for (const auto& [key, value] : options.session_entries) session.AddConfigEntry(key.c_str(), value.c_str());
  if (options.provider) TRY(append_provider(session, env, *options.provider));
  return {};
}

// On arm64 with half arithmetic ONNX Runtime joins the nodes of a float16 GELU into one for which it has no kernel there.
constexpr std::string_view kNoKernel = "Failed to find kernel for com.microsoft.Gelu";
constexpr const char* kLeaveOut = "optimization.disable_specified_optimizers";
constexpr const char* kGeluFusions = "GeluFusionL1;GeluFusionL2;BiasGeluFusion";

// What the same graph may be opened with when `failure` was the answer; nothing when that would not help.
std::optional<OrtRunnerOptions> second_try(const OrtRunnerOptions& options, std::string_view failure) {
  if (options.provider || options.session_entries.contains(kLeaveOut) || failure.find(kNoKernel) == failure.npos) return std::nullopt;
  OrtRunnerOptions other = options;
  other.session_entries[kLeaveOut] = kGeluFusions;
  return other;
}

template <class GetName, class GetType>
Result<std::vector<TensorInfo>> infos(std::size_t count, GetName get_name, GetType get_type) {
  Ort::AllocatorWithDefaultOptions allocator;
  std::vector<TensorInfo> result;
  for (std::size_t i = 0; i < count; ++i) {
    std::string name = get_name(i, allocator).get();
    Ort::TypeInfo type = get_type(i);
    if (type.GetONNXType() != ONNX_TYPE_TENSOR) return bad_input("\"{}\" is not a tensor", name);
    auto tensor = type.GetTensorTypeAndShapeInfo();
    // The element types of ONNX Runtime have the numbers of TensorProto.DataType.
    auto dtype = dtype_from_onnx(tensor.GetElementType());
    if (!dtype) return bad_input("\"{}\" has an element type we do not handle ({})", name, int{tensor.GetElementType()});
    result.push_back({.name = std::move(name), .dtype = *dtype, .shape = tensor.GetShape()});
  }
  return result;
}

Result<Tensor> copy_out(const Ort::Value& value, const TensorInfo& info) {
  auto type = value.GetTensorTypeAndShapeInfo();
  auto dtype = dtype_from_onnx(type.GetElementType());
  if (dtype != info.dtype) return bad_input("the output \"{}\" came with another element type than declared", info.name);
  Tensor tensor{.dtype = *dtype, .shape = type.GetShape(), .bytes = {}};
  auto bytes = static_cast<const std::byte*>(value.GetTensorRawData());
  tensor.bytes.assign(bytes, bytes + type.GetElementCount() * byte_size(*dtype));
  return tensor;
}

}  // namespace

struct OrtRunner::State {
  std::shared_ptr<OrtRuntime> runtime;         // before the session: it goes last
  std::string what;                            // the model, in messages
  std::shared_ptr<OrtCustomOpDomain> watches;  // likewise
  Ort::Session session{nullptr};
  Ort::MemoryInfo memory{nullptr};
  std::vector<TensorInfo> inputs;
  std::vector<TensorInfo> outputs;

  // `create(env, session options)` makes the session. Exceptions of ONNX Runtime end here.
  template <class Create>
  Status open(const OrtRunnerOptions& options, Create create) {
    TRY(check_interrupt());
    try {
      BorrowedEnv env(*runtime);
      Ort::SessionOptions session_options;
      TRY(configure(session_options, env.get(), options));
      if (options.watcher) session_options.Add((watches = watch_domain(options.watcher)).get());
      session = create(env.get(), session_options);
      memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
      if (Status status = describe(); !status.ok()) return std::move(status).error().within(what);
      return {};
    } catch (const std::exception& failure) {
      if (const auto other = second_try(options, failure.what())) return open(*other, create);
      return bad_input("{}: ONNX Runtime {} refuses it ({})", what, runtime->version(), failure.what());
    }
  }

  Status describe() {
    TRY_ASSIGN(inputs,
               infos(
                   session.GetInputCount(), [&](std::size_t i, auto& allocator) { return session.GetInputNameAllocated(i, allocator); },
                   [&](std::size_t i) { return session.GetInputTypeInfo(i); }));
    TRY_ASSIGN(outputs,
               infos(
                   session.GetOutputCount(), [&](std::size_t i, auto& allocator) { return session.GetOutputNameAllocated(i, allocator); },
                   [&](std::size_t i) { return session.GetOutputTypeInfo(i); }));
    return {};
  }

  Result<std::vector<const TensorInfo*>> choose_outputs(std::span<const std::string> wanted) const {
    std::vector<const TensorInfo*> chosen;
    for (const TensorInfo& info : outputs)
      if (wanted.empty()) chosen.push_back(&info);
    for (const std::string& name : wanted) {
      auto found = std::find_if(outputs.begin(), outputs.end(), [&](const TensorInfo& info) { return info.name == name; });
      if (found == outputs.end()) return bad_input("the graph has no output \"{}\"", name);
      chosen.push_back(&*found);
    }
    return chosen;
  }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> given, std::span<const std::string> wanted) {
    TRY(check_inputs(inputs, given));
    TRY_ASSIGN(std::vector<const TensorInfo*> chosen, choose_outputs(wanted));
    std::vector<const char*> input_names, output_names;
    std::vector<Ort::Value> values;
    for (const NamedTensorView& input : given) {
      input_names.push_back(input.name.c_str());
      values.push_back(Ort::Value::CreateTensor(memory, address_of(input.view.bytes), input.view.bytes.size(), input.view.shape.data(),
                                                input.view.shape.size(),
                                                static_cast<ONNXTensorElementDataType>(facts(input.view.dtype).onnx)));
    }
    for (const TensorInfo* info : chosen) output_names.push_back(info->name.c_str());
    std::vector<Ort::Value> produced =
        session.Run(Ort::RunOptions{nullptr}, input_names.data(), values.data(), values.size(), output_names.data(), output_names.size());
    std::vector<NamedTensor> results;
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      TRY_ASSIGN(Tensor tensor, copy_out(produced[i], *chosen[i]));
      results.push_back({.name = chosen[i]->name, .tensor = std::move(tensor)});
    }
    return results;
  }
};

OrtRunner::OrtRunner(std::unique_ptr<State> state) : state_(std::move(state)) {}
OrtRunner::~OrtRunner() = default;

// From memory, which lets us say where the data lie: in another folder, or (when their real names are others, as in a download
// cache) in maps of ours, which ONNX Runtime copies.
Result<std::unique_ptr<OrtRunner>> OrtRunner::open_linked(std::shared_ptr<OrtRuntime> runtime, const Path& model,
                                                          const std::vector<LinkedData>& data, const OrtRunnerOptions& options) {
  TRY_ASSIGN(const std::string bytes, read_file(model, kMaxModelBytes));
  if (const Path folder = common_folder(data); !folder.empty())
    return open(std::move(runtime), {.bytes = as_bytes(bytes), .what = model.string(), .data_folder = folder}, options);
  std::vector<MappedFile> maps;
  std::vector<std::string> names;
  std::vector<char*> buffers;
  std::vector<std::size_t> sizes;
  for (const auto& [name, file] : data) {
    TRY_ASSIGN(MappedFile map, MappedFile::open(file));
    names.push_back(name);
    buffers.push_back(const_cast<char*>(reinterpret_cast<const char*>(map.bytes().data())));
    sizes.push_back(map.bytes().size());
    maps.push_back(std::move(map));
  }
  auto state = std::make_unique<State>(State{.runtime = std::move(runtime), .what = model.string()});
  TRY(state->open(options, [&](Ort::Env& env, Ort::SessionOptions& session_options) {
    session_options.AddExternalInitializersFromFilesInMemory(names, buffers, sizes);
    return Ort::Session(env, bytes.data(), bytes.size(), session_options);
  }));
  return std::unique_ptr<OrtRunner>(new OrtRunner(std::move(state)));
}

Result<std::unique_ptr<OrtRunner>> OrtRunner::open(std::shared_ptr<OrtRuntime> runtime, const Path& model,
                                                   const OrtRunnerOptions& options) {
  TRY(InputFile::open(model));
  if (const std::vector<LinkedData> data = linked_data(model); !data.empty()) return open_linked(std::move(runtime), model, data, options);
  auto state = std::make_unique<State>(State{.runtime = std::move(runtime), .what = model.string()});
  TRY(state->open(options,
                  [&](Ort::Env& env, Ort::SessionOptions& session_options) { return Ort::Session(env, model.c_str(), session_options); }));
  return std::unique_ptr<OrtRunner>(new OrtRunner(std::move(state)));
}

Result<std::unique_ptr<OrtRunner>> OrtRunner::open(std::shared_ptr<OrtRuntime> runtime, const ModelBytes& model,
                                                   const OrtRunnerOptions& options) {
  auto state = std::make_unique<State>(State{.runtime = std::move(runtime), .what = model.what});
  TRY(state->open(options, [&](Ort::Env& env, Ort::SessionOptions& session_options) {
    if (!model.data_folder.empty())
      session_options.AddConfigEntry("session.model_external_initializers_file_folder_path", model.data_folder.c_str());
    return Ort::Session(env, model.bytes.data(), model.bytes.size(), session_options);
  }));
  return std::unique_ptr<OrtRunner>(new OrtRunner(std::move(state)));
}

const std::vector<TensorInfo>& OrtRunner::inputs() const { return state_->inputs; }
const std::vector<TensorInfo>& OrtRunner::outputs() const { return state_->outputs; }

Result<std::vector<NamedTensor>> OrtRunner::run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) {
  TRY(check_interrupt());
  try {
    auto results = state_->run(inputs, wanted);
    if (!results.ok()) return std::move(results).error().within(state_->what);
    return results;
  } catch (const std::exception& failure) {
    TRY(check_interrupt());
    return bad_input("{}: ONNX Runtime {} cannot run it ({})", state_->what, state_->runtime->version(), failure.what());
  }
}

}  // namespace fastvlm
