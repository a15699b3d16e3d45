#include "fastvlm/session/float_edges.h"

#include <algorithm>
#include <limits>

#include "fastvlm/base/try.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/tensor/code_rounding.h"

namespace fastvlm {
namespace {

// As QuantizeLinear rounds: half to even, and to the nearest code there is.
template <class T>
Tensor coded_as(const TensorView& numbers, const Encoding& encoding) {
  Tensor codes = Tensor::zeros(encoding.dtype, numbers.shape);
  const std::span from(reinterpret_cast<const float*>(numbers.bytes.data()), numbers.bytes.size() / sizeof(float));
  const float zero = static_cast<float>(encoding.zero_point), least = -zero, most = std::numeric_limits<T>::max() - zero;
  std::ranges::transform(from, codes.as<T>(encoding.dtype).begin(), [&](float number) {
    const float code = number / encoding.scale;
    return static_cast<T>(rounded_code(code > least ? std::min(code, most) : least) + zero);  // NaN is the least
  });
  return codes;
}

template <class T>
Tensor numbers_of(const Tensor& codes, const Encoding& encoding) {
  Tensor numbers = Tensor::zeros(Dtype::kFloat32, codes.shape);
  std::ranges::transform(codes.as<T>(encoding.dtype), numbers.floats().begin(),
                         [&](T code) { return static_cast<float>(std::int32_t{code} - encoding.zero_point) * encoding.scale; });
  return numbers;
}

Tensor coded(const TensorView& numbers, const Encoding& encoding) {
  return encoding.dtype == Dtype::kUint8 ? coded_as<std::uint8_t>(numbers, encoding) : coded_as<std::uint16_t>(numbers, encoding);
}

Tensor decoded(const Tensor& codes, const Encoding& encoding) {
  return encoding.dtype == Dtype::kUint8 ? numbers_of<std::uint8_t>(codes, encoding) : numbers_of<std::uint16_t>(codes, encoding);
}

const ValueEntry* coded_edge(const std::vector<ValueEntry>& values, const std::string& name) {
  const auto found = std::ranges::find(values, name, &ValueEntry::name);
  return found != values.end() && found->encoding ? &*found : nullptr;
}

class FloatEdges final : public Runner {
 public:
  FloatEdges(std::unique_ptr<Runner> runner, const GraphEntry& graph)
      : runner_(std::move(runner)), graph_(graph), inputs_(runner_->inputs()), outputs_(runner_->outputs()) {
    for (TensorInfo& info : inputs_)
      if (coded_edge(graph_.inputs, info.name) != nullptr) info.dtype = Dtype::kFloat32;
    for (TensorInfo& info : outputs_)
      if (coded_edge(graph_.outputs, info.name) != nullptr) info.dtype = Dtype::kFloat32;
  }

  const std::vector<TensorInfo>& inputs() const override { return inputs_; }
  const std::vector<TensorInfo>& outputs() const override { return outputs_; }

  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    TRY(check_inputs(inputs_, inputs));
    std::vector<Tensor> codes;
    codes.reserve(inputs.size());
    std::vector<NamedTensorView> given(inputs.begin(), inputs.end());
    for (NamedTensorView& input : given)
      if (const ValueEntry* edge = coded_edge(graph_.inputs, input.name)) {
        codes.push_back(coded(input.view, *edge->encoding));
        input.view = codes.back().view();
      }
    TRY_ASSIGN(std::vector<NamedTensor> outputs, runner_->run(given, wanted));
    for (NamedTensor& output : outputs)
      if (const ValueEntry* edge = coded_edge(graph_.outputs, output.name)) output.tensor = decoded(output.tensor, *edge->encoding);
    return outputs;
  }

 private:
  std::unique_ptr<Runner> runner_;
  const GraphEntry graph_;
  std::vector<TensorInfo> inputs_, outputs_;
};

// What the manifest says about an edge and what the file says must agree, or codes would be taken for others.
Status check_edges(const std::vector<TensorInfo>& declared, const std::vector<ValueEntry>& entries, const std::string& graph) {
  for (const TensorInfo& info : declared)
    if (const ValueEntry* edge = coded_edge(entries, info.name); edge != nullptr && edge->encoding->dtype != info.dtype)
      return bad_input("{}: \"{}\" is {}, but {} says {}; export again", graph, info.name, name(info.dtype), kManifestFile,
                       name(edge->encoding->dtype));
  return {};
}

bool has_codes(const GraphEntry& graph) {
  const auto is_coded = [](const ValueEntry& value) { return value.encoding.has_value(); };
  return std::ranges::any_of(graph.inputs, is_coded) || std::ranges::any_of(graph.outputs, is_coded);
}

// Of the graph that the file holds, with or without probes. No name of a graph has a '.' in it.
std::string graph_of(const Path& model) {
  std::string name = model.stem().string();
  name.resize(std::min(name.size(), name.find('.')));
  if (constexpr std::string_view end = kProbedEnd; name.ends_with(end)) name.resize(name.size() - end.size());
  return name;
}

}  // namespace

Result<std::unique_ptr<Runner>> with_float_edges(std::unique_ptr<Runner> runner, const GraphEntry& graph) {
  TRY(check_edges(runner->inputs(), graph.inputs, graph.name));
  TRY(check_edges(runner->outputs(), graph.outputs, graph.name));
  return std::unique_ptr<Runner>(std::make_unique<FloatEdges>(std::move(runner), graph));
}

OpenGraph with_float_edges(OpenGraph open, const Manifest& manifest) {
  std::vector<GraphEntry> coded;
  std::ranges::copy_if(manifest.graphs, std::back_inserter(coded), has_codes);
  if (coded.empty()) return open;
  return [open = std::move(open), coded = std::move(coded)](const Path& model) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(std::unique_ptr<Runner> runner, open(model));
    const auto graph = std::ranges::find(coded, graph_of(model), &GraphEntry::name);
    if (graph == coded.end()) return runner;
    return with_float_edges(std::move(runner), *graph);
  };
}

}  // namespace fastvlm
