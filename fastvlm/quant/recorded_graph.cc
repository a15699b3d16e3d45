#include "fastvlm/quant/recorded_graph.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/run/runner.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

// Along which axis the channels of a value lie, from what reads it.
enum class Channels { kNone, kLast, kSecond };

std::map<std::string, Channels> channels_of(const OnnxModel& model) {
  std::set<std::string> constants;
  for (const OnnxInitializer& initializer : model.initializers) constants.insert(initializer.name);
  std::map<std::string, Channels> channels;
  for (const OnnxNode& node : model.nodes) {
    if (node.inputs.size() < 2 || !constants.contains(node.inputs[1])) continue;
    if (node.op == "MatMul" || node.op == "Gemm" || node.op == "MatMulNBits") channels[node.inputs[0]] = Channels::kLast;
    if (node.op == "Conv") channels[node.inputs[0]] = Channels::kSecond;
  }
  return channels;
}

class RecordedRunner final : public Runner {
 public:
  RecordedRunner(std::unique_ptr<Runner> runner, const OnnxModel& model, Ranges& ranges, const RecordOptions& options)
      : runner_(std::move(runner)), ranges_(ranges) {
    std::set<std::string> own;
    for (const OnnxValue& output : model.outputs) own.insert(output.name);
    for (const TensorInfo& info : runner_->outputs())
      if (own.contains(info.name)) outputs_.push_back(info);
    if (options.channels) channels_ = channels_of(model);
    make_groups(model, options.bytes_at_a_time);
  }

  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    for (const NamedTensorView& input : inputs)
      if (is_float(input.view.dtype)) observe(input.name, input.view);
    std::vector<std::string> own(wanted.begin(), wanted.end());
    if (own.empty())
      for (const TensorInfo& info : outputs_) own.push_back(info.name);
    std::vector<NamedTensor> results;
    for (std::size_t i = 0; i < groups_.size() || i == 0; ++i) {
      TRY(check_interrupt());
      std::vector<std::string> fetched = i == 0 ? own : std::vector<std::string>();
      if (i < groups_.size())
        for (const std::string& name : groups_[i])
          if (std::ranges::find(fetched, name) == fetched.end()) fetched.push_back(name);
      TRY_ASSIGN(std::vector<NamedTensor> outputs, runner_->run(inputs, fetched));
      if (i < groups_.size())
        for (const NamedTensor& output : outputs)
          if (std::ranges::find(groups_[i], output.name) != groups_[i].end()) observe(output.name, output.tensor.view());
      if (i == 0) {
        outputs.resize(own.size());
        results = std::move(outputs);
      }
    }
    return results;
  }

 private:
  void make_groups(const OnnxModel& model, std::uint64_t limit) {
    std::map<std::string, const TensorInfo*> infos;
    for (const TensorInfo& info : runner_->outputs()) infos[info.name] = &info;
    std::uint64_t bytes = 0;
    for (const OnnxNode& node : model.nodes)
      for (const std::string& output : node.outputs) {
        const auto info = infos.find(output);
        if (info == infos.end() || !is_float(info->second->dtype) || !range_key(node.op, output)) continue;
        const auto count = checked_element_count(info->second->shape);
        const std::uint64_t size = count ? static_cast<std::uint64_t>(*count) * byte_size(info->second->dtype) : 0;
        if (groups_.empty() || (bytes + size > limit && bytes > 0)) {
          groups_.emplace_back();
          bytes = 0;
        }
        groups_.back().push_back(output);
        bytes += size;
      }
  }

  void observe(const std::string& name, const TensorView& view) {
    ValueRange& range = ranges_.values[name];
    Tensor converted;
    std::span<const float> numbers(reinterpret_cast<const float*>(view.bytes.data()), view.bytes.size() / sizeof(float));
    if (view.dtype != Dtype::kFloat32) {
      converted = to_float32(view);
      numbers = converted.floats();
    }
    range.observe(numbers);
    const auto channels = channels_.find(name);
    if (channels == channels_.end() || view.shape.empty()) return;
    if (channels->second == Channels::kLast) range.observe_channels(numbers, view.shape.back(), 1);
    if (channels->second == Channels::kSecond && view.shape.size() == 4)
      range.observe_channels(numbers, view.shape[1], view.shape[2] * view.shape[3]);
  }

  std::unique_ptr<Runner> runner_;
  Ranges& ranges_;
  std::vector<TensorInfo> outputs_;
  std::vector<std::vector<std::string>> groups_;
  std::map<std::string, Channels> channels_;
};

}  // namespace

Result<std::unique_ptr<Runner>> open_recorded(const Path& path, const OpenGraph& open, Ranges& ranges, const RecordOptions& options) {
  TRY_ASSIGN(const OnnxModel model, read_onnx(path, {.infer_shapes = false}));
  std::vector<std::string> probes;
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (!output.empty() && range_key(node.op, output)) probes.push_back(output);
  TRY_ASSIGN(auto runner, open_probed(path, probes, open));
  return std::unique_ptr<Runner>(std::make_unique<RecordedRunner>(std::move(runner), model, ranges, options));
}

}  // namespace fastvlm
