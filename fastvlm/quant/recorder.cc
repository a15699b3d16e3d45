#include "fastvlm/quant/recorder.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/parallel.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/watches.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm {
namespace {

std::vector<std::string> values_to_watch(const OnnxModel& model) {
  std::vector<std::string> values;
  for (const OnnxValue& input : model.inputs)
    if (input.type.dtype == Dtype::kFloat32) values.push_back(input.name);
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (!output.empty() && range_key(node.op, output)) values.push_back(output);
  return values;
}

// What one thread observes at a time.
constexpr std::size_t kNumbersAtOnce = std::size_t{1} << 20;

// A range does not depend on the pieces that it is made of.
void observe_in_pieces(std::span<const float> numbers, unsigned threads, ValueRange& range) {
  std::vector<ValueRange> pieces((numbers.size() + kNumbersAtOnce - 1) / kNumbersAtOnce);
  if (pieces.size() <= 1) return range.observe(numbers);
  const Status observed = parallel_for(pieces.size(), threads, [&](std::size_t i) -> Status {
    const std::size_t begin = i * kNumbersAtOnce;
    pieces[i].observe(numbers.subspan(begin, std::min(kNumbersAtOnce, numbers.size() - begin)));
    return {};
  });
  FASTVLM_ASSERT(observed.ok(), "observing does not fail");
  for (const ValueRange& piece : pieces) range.merge(piece);
}

}  // namespace

Recorder::Recorder(const OpenWatched& open, const RecordOptions& options)
    : options_(options), open_(open([this](const std::string& name, const TensorView& seen) { observe(name, seen); })) {}

Result<std::unique_ptr<Runner>> Recorder::open(const Path& path) {
  if (!open_.ok()) return open_.error();
  TRY_ASSIGN(const OnnxModel model, read_onnx(path, {.infer_shapes = false}));
  if (options_.channels) learn_channels(model);
  TRY_ASSIGN(const std::string watched, with_watches(path, values_to_watch(model), {kWatchDomain, kWatchOperator, kWatchedName}));
  return open_changed(path, watched, *open_);
}

// From what reads a value.
void Recorder::learn_channels(const OnnxModel& model) {
  std::set<std::string> constants;
  for (const OnnxInitializer& initializer : model.initializers) constants.insert(initializer.name);
  for (const OnnxNode& node : model.nodes) {
    if (node.inputs.size() < 2 || !constants.contains(node.inputs[1])) continue;
    if (node.op == "MatMul" || node.op == "Gemm" || node.op == "MatMulNBits") channels_[node.inputs[0]] = Channels::kLast;
    if (node.op == "Conv") channels_[node.inputs[0]] = Channels::kSecond;
  }
}

void Recorder::observe(const std::string& name, const TensorView& seen) {
  const std::span<const float> numbers(reinterpret_cast<const float*>(seen.bytes.data()), seen.bytes.size() / sizeof(float));
  ValueRange& range = ranges_.values[name];
  observe_in_pieces(numbers, options_.threads, range);
  const auto channels = channels_.find(name);
  if (channels == channels_.end() || seen.shape.empty()) return;
  if (channels->second == Channels::kLast) range.observe_channels(numbers, seen.shape.back(), 1);
  if (channels->second == Channels::kSecond && seen.shape.size() == 4)
    range.observe_channels(numbers, seen.shape[1], seen.shape[2] * seen.shape[3]);
}

}  // namespace fastvlm
