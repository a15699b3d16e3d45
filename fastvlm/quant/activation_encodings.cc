#include "fastvlm/quant/activation_encodings.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/graph/value_classes.h"
#include "fastvlm/quant/half_nodes.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {
namespace {

// exp(-100) is nothing beside the largest weight of a row. A host's mask may be lower: it saturates there.
constexpr float kLeastMask = -100;

struct Facts {
  std::optional<Extremes> seen;
  bool is_float = false;
  bool second_operand = false;
  std::optional<Encoding> fixed;
};

// Below its lowest point, which is -0.17 at -0.75, GELU falls, above it rises.
Extremes gelu_of(const Extremes& x) {
  constexpr double kLowestAt = -0.7517915;
  auto gelu = [](double v) { return static_cast<float>(0.5 * v * std::erfc(-v / std::sqrt(2.0))); };
  const float ends[] = {gelu(x.min), gelu(x.max)};
  const bool falls_and_rises = x.min < kLowestAt && x.max > kLowestAt;
  return {falls_and_rises ? gelu(kLowestAt) : std::min(ends[0], ends[1]), std::max(ends[0], ends[1])};
}

// The codes of a second factor as unsigned ones of the same scale.
Encoding around_the_middle(Encoding encoding, Dtype dtype) {
  if (encoding.dtype == dtype) return encoding;
  FASTVLM_ASSERT(encoding.dtype == Dtype::kInt16 && dtype == Dtype::kUint16, "a cache has the bits that it is multiplied with");
  encoding.dtype = dtype;
  encoding.zero_point += 32768;
  return encoding;
}

Extremes wider(const Extremes& seen, float margin) { return {seen.min * margin, seen.max * margin}; }

class Encoder {
 public:
  Encoder(const Graph& graph, const IntegerForm& form)
      : graph_(graph), form_(form), half_(half_nodes(graph)), ties_(graph.values().size()), facts_(graph.values().size()) {}

  Result<ActivationEncodings> encode(const Ranges& ranges) {
    tie();
    see(extremes_of(graph_, ranges));
    for (const Node& node : graph_.nodes()) note(node);
    keep_halves();
    for (const Node& node : graph_.nodes()) infer(node);
    for (const Node& node : graph_.nodes()) bound(node);
    ActivationEncodings result{.encodings = std::vector<std::optional<Encoding>>(facts_.size()), .made_as = {}, .edges = {}, .half = half_};
    result.edges = result.made_as = result.encodings;
    for (int input : graph_.inputs()) TRY(give(input, result));
    for (const Node& node : graph_.nodes())
      for (int output : node.outputs) TRY(give(output, result));
    for (const auto* edges : {&graph_.inputs(), &graph_.outputs()})
      for (int value : *edges) result.edges[static_cast<std::size_t>(value)] = edge(value, result);
    return result;
  }

 private:
  Facts& facts(int value) { return facts_[static_cast<std::size_t>(ties_.of(value))]; }
  bool is_activation(int value) const { return value >= 0 && !graph_.value(value).is_constant(); }

  void tie() {
    for (const Node& node : graph_.nodes()) {
      if (!ties_encodings(node.op)) continue;
      for (int output : node.outputs) ties_.unite(output, node.inputs[0]);
      for (int input : node.inputs)
        if (node.op == "Concat" && is_activation(input)) ties_.unite(input, node.inputs[0]);
    }
  }

  void see(const std::vector<std::optional<Extremes>>& known) {
    for (std::size_t i = 0; i < known.size(); ++i)
      if (known[i]) widen(facts(static_cast<int>(i)).seen, *known[i]);
  }

  void note(const Node& node) {
    const int output = node.outputs[0];
    if (node.op == "Softmax" || node.op == "Sigmoid") facts(output).fixed = Encoding{.dtype = Dtype::kUint16, .scale = 1.0F / 65536};
    if (node.op == "MatMul" && is_activation(node.inputs[1])) facts(node.inputs[1]).second_operand = true;
    if (node.op == "SimplifiedLayerNormalization" && form_.float_streams) facts(node.inputs[0]).is_float = true;
    if (node.op == "Add")
      for (int input : node.inputs)
        if (is_activation(input) && facts(input).is_float) facts(output).is_float = true;
  }

  // Between nodes that all compute in half precision there are no codes.
  void keep_halves() {
    std::vector<bool> other(facts_.size());
    for (const bool half : {false, true})
      for (std::size_t i = 0; i < half_.size(); ++i) {
        if (half_[i] != half) continue;
        const Node& node = graph_.nodes()[i];
        if (ties_encodings(node.op)) continue;
        for (const auto* values : {&node.inputs, &node.outputs})
          for (int value : *values) {
            if (!is_activation(value)) continue;
            const auto of = static_cast<std::size_t>(ties_.of(value));
            if (!half)
              other[of] = true;
            else if (!other[of])
              facts_[of].is_float = true;
          }
      }
  }

  // A Gelu of one node stands where the graph that was measured has several: its range follows from that of its input.
  void infer(const Node& node) {
    if (node.op != "Gelu" || facts(node.outputs[0]).seen || !facts(node.inputs[0]).seen) return;
    facts(node.outputs[0]).seen = gelu_of(*facts(node.inputs[0]).seen);
  }

  // A mask hides; how low it is does not matter, and a wide range would leave few codes to the scores beside it.
  void bound(const Node& node) {
    if (node.op != "Softmax") return;
    const int producer = graph_.value(node.inputs[0]).producer;
    if (producer < 0 || graph_.nodes()[static_cast<std::size_t>(producer)].op != "Add") return;
    float least = 0;
    for (int input : graph_.nodes()[static_cast<std::size_t>(producer)].inputs) {
      if (!is_activation(input)) continue;
      auto& seen = facts(input).seen;
      if (seen && graph_.value(input).producer < 0) seen->min = std::max(seen->min, kLeastMask);
      if (seen) least += seen->min;
    }
    if (auto& seen = facts(node.inputs[0]).seen) seen->min = std::max(seen->min, least);
  }

  Status give(int value, ActivationEncodings& result) {
    const ValueInfo& info = graph_.value(value);
    Facts& known = facts(value);
    const auto at = static_cast<std::size_t>(value);
    if (!is_float(info.dtype)) return {};
    if (known.is_float) return fits_half(info, known);
    if (known.fixed) return result.encodings[at] = known.fixed, Status{};
    if (!known.seen) return bad_input("the ranges say nothing about \"{}\" of {}: calibrate with this model", info.name, graph_.name());
    if (!known.second_operand) return result.encodings[at] = encoding_of(wider(*known.seen, form_.margin), Dtype::kUint16), Status{};
    const float margin = form_.second_operand == Dtype::kUint8 ? form_.byte_margin : form_.margin;
    result.encodings[at] = encoding_of(wider(*known.seen, margin), form_.second_operand);
    result.made_as[at] = encoding_of(wider(*known.seen, margin), Dtype::kUint16);
    return {};
  }

  // As a host takes and gives it; nothing: as float32. Streams between parts of a decoder may be too wide for 16 bits.
  std::optional<Encoding> edge(int value, const ActivationEncodings& given) {
    const ValueInfo& info = graph_.value(value);
    const std::optional<Encoding>& inside = given.encodings[static_cast<std::size_t>(value)];
    if (is_cache(info.name))
      return form_.edges.cache && inside ? std::optional(around_the_middle(*inside, *form_.edges.cache)) : std::nullopt;
    if (!form_.edges.others) return std::nullopt;
    if (inside) return inside->dtype == Dtype::kUint16 ? inside : std::nullopt;
    const auto& seen = facts(value).seen;
    return info.name == kInputsEmbeds && seen ? std::optional(encoding_of(wider(*seen, form_.margin), Dtype::kUint16)) : std::nullopt;
  }

  // Streams stay in half precision and are not scaled.
  Status fits_half(const ValueInfo& info, const Facts& known) const {
    const float largest = known.seen ? std::max(-known.seen->min, known.seen->max) : 0;
    if (largest <= form_.largest_float) return {};
    return bad_input(
        "\"{}\" of {} reaches {:.4g} when calibrating; beside integer activations it stays in half precision, which ends at {}, and is not "
        "scaled: {:.6g} is allowed by `range_share`. Recipes with float activations such as w8 scale it",
        info.name, graph_.name(), largest, kLargestHalf, form_.largest_float);
  }

  const Graph& graph_;
  const IntegerForm& form_;
  std::vector<bool> half_;  // for each node
  ValueClasses ties_;       // values that hold the same numbers
  std::vector<Facts> facts_;
};

}  // namespace

IntegerForm form_of(Activations activations) {
  if (activations != Activations::kInt16Int8 && activations != Activations::kWhole) return {};
  return {.float_streams = activations == Activations::kInt16Int8,
          .second_operand = Dtype::kUint8,
          .short_factors = true,
          .splits_last_axis = true};
}

bool ties_encodings(std::string_view op) {
  // A Clip only keeps an activation apart from its layer, which integer graphs do not need.
  static constexpr std::string_view kTying[] = {"Reshape", "Transpose", "Split", "Concat", "Clip"};
  return std::ranges::find(kTying, op) != std::end(kTying);
}

Result<ActivationEncodings> encode_activations(const Graph& graph, const Ranges& ranges, const IntegerForm& form) {
  return Encoder(graph, form).encode(ranges);
}

Encoding asymmetric_encoding(Extremes extremes, Dtype dtype) {
  const float low = std::min(0.0F, extremes.min), high = std::max(0.0F, extremes.max);
  if (low == 0 && high == 0) return {.dtype = dtype};
  const float scale = (high - low) / (dtype == Dtype::kUint8 ? 255 : 65535);
  return {.dtype = dtype, .scale = scale, .zero_point = static_cast<std::int32_t>(std::nearbyint(-low / scale))};
}

Encoding encoding_of(Extremes extremes, Dtype dtype) {
  if (dtype == Dtype::kUint16) return asymmetric_encoding(extremes, dtype);
  const float low = std::min(0.0F, extremes.min), high = std::max(0.0F, extremes.max);
  const std::int32_t middle = dtype == Dtype::kUint8 ? 128 : 0;
  if (low == 0 && high == 0) return {.dtype = dtype, .zero_point = middle};
  return {.dtype = dtype, .scale = std::max(-low, high) / (dtype == Dtype::kUint8 ? 127 : 32767), .zero_point = middle};
}

}  // namespace fastvlm
