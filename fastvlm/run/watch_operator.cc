#include "fastvlm/run/watch_operator.h"

#include <onnxruntime_cxx_api.h>

#include <cstring>
#include <string>

#include "fastvlm/base/interrupt.h"

namespace fastvlm {
namespace {

// No exception may pass through ONNX Runtime.
template <class Work>
OrtStatusPtr guarded(Work work) {
  try {
    work();
    return nullptr;
  } catch (const std::exception& failure) {
    return Ort::Status(failure.what(), ORT_FAIL).release();
  }
}

// One node of a graph.
class WatchKernel {
 public:
  WatchKernel(const OrtKernelInfo* info, const Watcher& watcher)
      : name_(Ort::ConstKernelInfo(info).GetAttribute<std::string>(kWatchedName)), watcher_(watcher) {}

  OrtStatusPtr ComputeV2(OrtKernelContext* context) {
    return guarded([&] {
      if (interrupted()) throw Ort::Exception("interrupted", ORT_FAIL);
      const Ort::KernelContext run(context);
      const Ort::ConstValue value = run.GetInput(0);
      const auto info = value.GetTensorTypeAndShapeInfo();
      const std::span<const float> numbers(value.GetTensorData<float>(), info.GetElementCount());
      const Shape shape = info.GetShape();
      auto* to = run.GetOutput(0, shape).GetTensorMutableData<float>();
      if (to != numbers.data() && !numbers.empty()) std::memcpy(to, numbers.data(), numbers.size_bytes());
      watcher_(name_, {.dtype = Dtype::kFloat32, .shape = shape, .bytes = std::as_bytes(numbers)});
    });
  }

 private:
  std::string name_;
  const Watcher& watcher_;
};

// The only output may lie where the only input does.
std::size_t may_be_in_place(int** inputs, int** outputs) {
  *inputs = std::make_unique<int>(0).release();
  *outputs = std::make_unique<int>(0).release();
  return 1;
}
void release_places(int* inputs, int* outputs) { const std::unique_ptr<int> first(inputs), second(outputs); }

class WatchOperator : public Ort::CustomOpBase<WatchOperator, WatchKernel, /*WithStatus=*/true> {
 public:
  explicit WatchOperator(const Watcher& watcher) : watcher_(watcher) {
    OrtCustomOp::GetMayInplace = may_be_in_place;
    OrtCustomOp::ReleaseMayInplace = release_places;
  }
  OrtStatusPtr CreateKernelV2(const OrtApi&, const OrtKernelInfo* info, void** kernel) const {
    return guarded([&] { *kernel = std::make_unique<WatchKernel>(info, watcher_).release(); });
  }
  const char* GetName() const { return kWatchOperator; }
  std::size_t GetInputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(std::size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  std::size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(std::size_t) const { return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT; }
  static OrtStatusPtr InferOutputShape(Ort::ShapeInferContext& context) {
    return guarded([&] { context.SetOutputShape(0, context.GetInputShape(0), ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT); });
  }

 private:
  Watcher watcher_;
};

struct Watching {
  explicit Watching(const Watcher& watcher) : op(watcher) { domain.Add(&op); }
  WatchOperator op;
  Ort::CustomOpDomain domain{kWatchDomain};
};

}  // namespace

std::shared_ptr<OrtCustomOpDomain> watch_domain(const Watcher& watcher) {
  const auto watching = std::make_shared<Watching>(watcher);
  return {watching, watching->domain};
}

}  // namespace fastvlm
