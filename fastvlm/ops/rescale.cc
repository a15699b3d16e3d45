#include "fastvlm/ops/rescale.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "fastvlm/graph/value_classes.h"
#include "fastvlm/ops/reference.h"

namespace fastvlm::ops {
namespace {

// How the scales of a node's inputs and outputs hang together.
enum class Law {
  kEqual,       // all inputs and outputs alike
  kActivation,  // the same, but the node must know the scale
  kGate,        // the input may be scaled and the node must know; the output may not
  kProduct,     // the halvings of the inputs add up
  kLinear,      // any: the weights make up for it
  kNorm,        // any: epsilon and the weights make up for it
  kMixing,      // softmax(q k) v: the last input and the output alike, the others unscaled
  kFixed,       // nothing may be scaled
};

Law law_of(const Node& node) {
  static const std::map<std::string, Law> kSemantic = {{"linear", Law::kLinear},        {"vocabulary_logits", Law::kLinear},
                                                       {"gelu", Law::kActivation},      {"silu", Law::kActivation},
                                                       {"sigmoid", Law::kGate},         {"rms_norm", Law::kNorm},
                                                       {"self_attention", Law::kMixing}};
  static const std::map<std::string, Law> kBasic = {
      {"Add", Law::kEqual},       {"Relu", Law::kEqual},    {"GlobalAveragePool", Law::kEqual},
      {"Transpose", Law::kEqual}, {"Reshape", Law::kEqual}, {"Concat", Law::kEqual},
      {"Conv", Law::kLinear},     {"Mul", Law::kProduct},   {"LayerNormalization", Law::kNorm}};
  const auto& table = node.domain == kSemanticDomain ? kSemantic : kBasic;
  if (!node.domain.empty() && node.domain != kSemanticDomain) return Law::kFixed;
  const auto at = table.find(node.op);
  return at == table.end() ? Law::kFixed : at->second;
}

// Classes of values that have one scale. Constants and what `fixed` says are in none: they are not scaled, and a node that
// would tie them to a stream reads them through a Mul.
class Streams {
 public:
  Streams(const Graph& graph, const std::set<std::string>& carried)
      : graph_(graph), classes_(graph.values().size()), fixed_(graph.values().size()) {
    for (std::size_t i = 0; i < fixed_.size(); ++i) fixed_[i] = graph.values()[i].is_constant();
    for (int input : graph.inputs()) fixed_[at(input)] = !carried.contains(graph.value(input).name);
    for (const Node& node : graph.nodes()) {
      const Law law = law_of(node);
      if (law == Law::kFixed || law == Law::kGate)
        for (int output : node.outputs) fixed_[at(output)] = true;
    }
    for (const Node& node : graph.nodes()) tie(node);
  }

  bool fixed(int value) const { return fixed_[at(value)]; }
  // The first value of the stream, after which it is named.
  int find(int value) const { return classes_.of(value); }

 private:
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }
  void unite(int a, int b) {
    if (!fixed(a) && !fixed(b)) classes_.unite(a, b);
  }
  void tie(const Node& node) {
    const Law law = law_of(node);
    if (law == Law::kMixing) unite(node.inputs.back(), node.outputs[0]);
    if (law != Law::kEqual && law != Law::kActivation) return;
    for (int input : node.inputs)
      if (input >= 0 && !graph_.value(input).is_constant()) unite(input, node.outputs[0]);
  }

  const Graph& graph_;
  ValueClasses classes_;
  std::vector<bool> fixed_;
};

// Values whose numbers a node needs as they are.
std::vector<int> needed_unscaled(const Node& node) {
  const Law law = law_of(node);
  if (law == Law::kFixed) return node.op == "causal_positions" ? std::vector<int>() : node.inputs;
  if (law == Law::kMixing) return {node.inputs.begin(), node.inputs.end() - 1};
  return {};
}

struct Peak {
  double absmax = 0;
  std::string name;
  void raise(double candidate, const std::string& where) {
    if (candidate > absmax) absmax = candidate, name = where;
  }
};

// ---- The plan -----------------------------------------------------------------------------------------------------------

class Planner {
 public:
  Planner(const Graph& graph, const std::map<std::string, float>& peaks, double limit)
      : graph_(graph),
        peaks_(peaks),
        limit_(limit),
        streams_(graph, {}),
        largest_(graph.values().size()),
        halvings_(graph.values().size()) {}

  ScalePlan plan(const ExpansionTable& table) {
    observe(table);
    pin();
    for (std::size_t i = 0; i < halvings_.size(); ++i)
      if (!pinned(static_cast<int>(i))) halvings_[i] = halvings_for(largest_[i].absmax);
    balance_products();
    return result();
  }

 private:
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }
  int halvings_for(double absmax) const { return absmax > limit_ ? static_cast<int>(std::ceil(std::log2(absmax / limit_))) : 0; }
  bool pinned(int value) const { return streams_.fixed(value) || pinned_.contains(streams_.find(value)); }
  int halvings(int value) const { return pinned(value) ? 0 : halvings_[at(streams_.find(value))]; }

  // What a value of the expanded graph was seen to be counts for the stream that the node gives, or for the node alone.
  void observe(const ExpansionTable& table) {
    const std::set<std::string> masks = mask_inputs();
    std::vector<int> origin;
    const auto expanded = expand(graph_, table, &origin);
    std::map<int, int> last;  // node -> its last node after expansion
    for (std::size_t i = 0; i < origin.size(); ++i) last[origin[i]] = static_cast<int>(i);
    for (std::size_t i = 0; i < origin.size(); ++i) {
      const Node& node = graph_.nodes()[at(origin[i])];
      const Law law = law_of(node);
      if (law != Law::kLinear && law != Law::kFixed && law != Law::kMixing && last[origin[i]] != static_cast<int>(i)) continue;
      if (std::ranges::any_of(expanded->nodes()[i].inputs, [&](int in) { return in >= 0 && masks.contains(expanded->value(in).name); }))
        continue;
      for (int output : expanded->nodes()[i].outputs) {
        const std::string& name = expanded->value(output).name;
        const auto seen = peaks_.find(name);
        if (seen == peaks_.end()) continue;
        const bool inside = law == Law::kFixed || (law == Law::kMixing && last[origin[i]] != static_cast<int>(i));
        if (inside || streams_.fixed(node.outputs[0]))
          inside_.push_back({name, seen->second, fmt::format("inside {}", node.op)});
        else
          largest_[at(streams_.find(node.outputs[0]))].raise(seen->second, name);
      }
    }
    for (int input : graph_.inputs())
      if (const auto seen = peaks_.find(graph_.value(input).name); seen != peaks_.end() && !masks.contains(seen->first))
        inside_.push_back({graph_.value(input).name, seen->second, "an input of the graph"});
  }

  // What hides slots is as large as we chose, and so are scores with it.
  std::set<std::string> mask_inputs() const {
    std::set<std::string> names;
    for (const Node& node : graph_.nodes())
      if (node.domain == kSemanticDomain && node.op == "cached_rotary_attention") names.insert(graph_.value(node.inputs[5]).name);
    return names;
  }

  void pin() {
    for (const Node& node : graph_.nodes())
      for (int value : needed_unscaled(node))
        if (value >= 0 && !streams_.fixed(value)) pinned_.emplace(streams_.find(value), "read by " + node.op);
    for (int output : graph_.outputs())
      if (!streams_.fixed(output)) pinned_.emplace(streams_.find(output), "an output of the graph");
  }

  // The halvings of a product are those of its factors together. Raising only: ends, as no factor comes from its own product.
  void balance_products() {
    for (bool changed = true; changed;) {
      changed = false;
      for (const Node& node : graph_.nodes()) {
        if (law_of(node) != Law::kProduct) continue;
        const int a = node.inputs[0], b = node.inputs[1], out = node.outputs[0];
        const int missing = halvings(out) - halvings(a) - halvings(b);
        if (missing > 0 && (!pinned(b) || !pinned(a))) {
          halvings_[at(streams_.find(pinned(b) ? a : b))] += missing;
          changed = true;
        } else if (missing != 0 && !pinned(out)) {
          halvings_[at(streams_.find(out))] -= missing;
          changed = true;
        } else {
          FASTVLM_ASSERT(missing == 0, "a product that can be scaled like its factors");
        }
      }
    }
  }

  ScalePlan result() const {
    ScalePlan plan;
    std::map<int, std::size_t> rows;
    for (std::size_t i = 0; i < graph_.values().size(); ++i) {
      const int value = static_cast<int>(i), stream = streams_.find(value);
      if (halvings(value) == 0) continue;
      plan.halvings[graph_.value(value).name] = halvings(value);
      const auto [row, added] = rows.try_emplace(stream, plan.streams.size());
      const Peak& peak = largest_[at(stream)];
      if (added)
        plan.streams.push_back({.name = graph_.value(stream).name,
                                .largest = peak.name,
                                .absmax = peak.absmax,
                                .halvings = halvings(value),
                                .values = 0,
                                .modules = {}});
      ScaledStream& row_of_stream = plan.streams[row->second];
      ++row_of_stream.values;
      if (is_given_name(graph_.value(value).name)) row_of_stream.modules.push_back(graph_.value(value).name);
    }
    for (const auto& [stream, why] : pinned_)
      if (const Peak& peak = largest_[at(stream)]; peak.absmax > limit_) plan.unscaled.push_back({peak.name, peak.absmax, why});
    for (const UnscaledValue& value : inside_)
      if (value.absmax > limit_) plan.unscaled.push_back(value);
    return plan;
  }

  const Graph& graph_;
  const std::map<std::string, float>& peaks_;
  double limit_;
  Streams streams_;
  std::vector<Peak> largest_;          // of each stream, at its first value
  std::vector<int> halvings_;          // the same
  std::map<int, std::string> pinned_;  // streams that stay, and why
  std::vector<UnscaledValue> inside_;
};

// ---- The scaled graph ---------------------------------------------------------------------------------------------------

float power(int exponent) { return std::ldexp(1.0F, exponent); }

class Rescaler {
 public:
  Rescaler(const Graph& from, const std::map<std::string, int>& halvings, const std::set<std::string>& carried)
      : from_(from), carried_(carried), streams_(from, carried), to_(std::make_unique<Graph>(from.name())), mapped_(from.values().size()) {
    // Names that only this graph has (seams, concatenations) take the scale of the stream they are in.
    for (std::size_t i = 0; i < from.values().size(); ++i)
      if (const auto at = halvings.find(from.values()[i].name); at != halvings.end() && !streams_.fixed(static_cast<int>(i)))
        of_stream_[streams_.find(static_cast<int>(i))] = at->second;
  }

  std::unique_ptr<Graph> run() {
    for (int input : from_.inputs()) {
      const ValueInfo& info = from_.value(input);
      mapped_[at(input)] = to_->add_input(info.name, info.dtype, info.dims);
    }
    for (const Node& node : from_.nodes()) copy(node);
    for (int output : from_.outputs()) {
      const std::string& name = from_.value(output).name;
      Value value = mapped_[at(output)];
      if (!carried_.contains(name) && halvings(output) != 0) {
        to_->rename(value, name + ":scaled");
        value = multiplied(value, halvings(output));
      }
      to_->add_output(value, name);
    }
    return std::move(to_);
  }

 private:
  static std::size_t at(int value) { return static_cast<std::size_t>(value); }
  int halvings(int value) const {
    if (streams_.fixed(value)) return 0;
    const auto found = of_stream_.find(streams_.find(value));
    return found == of_stream_.end() ? 0 : found->second;
  }

  Value multiplied(Value value, int exponent) {
    if (exponent == 0) return value;
    const std::string scope = to_->scope().empty() ? "rescale" : to_->scope() + ".rescale";
    Scope own(*to_, scope, /*absolute=*/true);
    return times(value, power(exponent));
  }

  // A weight times a power of two.
  Value weight(int value, int exponent) {
    const ValueInfo& info = from_.value(value);
    WeightPtr recipe = info.weight;
    if (exponent != 0)
      recipe = recipe->scaled_rows(std::vector<float>(static_cast<std::size_t>(recipe->row_count()), power(exponent)), "fold range scale");
    Value added = to_->add_weight(recipe, info.name, info.dtype);
    if (info.encoding) to_->set_encoding(added.index(), *info.encoding);
    return added;
  }

  // The value with `wanted` halvings.
  Value input(int value, int wanted) {
    if (value < 0) return {};
    const ValueInfo& info = from_.value(value);
    if (info.weight != nullptr) return weight(value, 0);
    if (info.constant) return to_->add_constant(*info.constant);
    return multiplied(mapped_[at(value)], halvings(value) - wanted);
  }

  std::vector<Value> inputs_of(const Node& node, Attributes& attributes) {
    std::vector<Value> inputs;
    const int out = halvings(node.outputs[0]), first = halvings(node.inputs[0]);
    const Law law = law_of(node);
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const int value = node.inputs[i];
      if ((law == Law::kLinear || law == Law::kNorm) && i > 0)
        inputs.push_back(value < 0 ? Value() : weight(value, law == Law::kLinear && i == 1 ? first - out : -out));
      else if (law == Law::kEqual || law == Law::kActivation || (law == Law::kMixing && i + 1 == node.inputs.size()))
        inputs.push_back(input(value, out));
      else if (law == Law::kFixed || law == Law::kMixing)
        inputs.push_back(input(value, node.op == "causal_positions" ? first : 0));
      else
        inputs.push_back(input(value, value < 0 ? 0 : halvings(value)));
    }
    if (law == Law::kProduct) FASTVLM_ASSERT(out == first + halvings(node.inputs[1]), "a product is scaled like its factors");
    if (law == Law::kActivation && out != 0) attributes[kScaleAttribute] = power(-out);
    if (law == Law::kGate && first != 0) attributes[kScaleAttribute] = power(-first);
    if (law == Law::kNorm && first != 0) attributes["epsilon"] = std::get<float>(attributes.at("epsilon")) * power(-2 * first);
    return inputs;
  }

  void copy(const Node& node) {
    Scope scope(*to_, module_of(node), /*absolute=*/true);
    Attributes attributes = node.attributes;
    std::vector<Value> inputs = inputs_of(node, attributes);
    std::vector<OutputSpec> outputs;
    for (int output : node.outputs) outputs.push_back({from_.value(output).dtype, from_.value(output).dims});
    auto results = to_->add_node(node.domain, node.op, std::move(inputs), std::move(outputs), std::move(attributes));
    for (std::size_t i = 0; i < results.size(); ++i) {
      mapped_[at(node.outputs[i])] = results[i];
      const std::string& name = from_.value(node.outputs[i]).name;
      if (is_given_name(name)) to_->rename(results[i], name);
    }
  }

  const Graph& from_;
  const std::set<std::string>& carried_;
  Streams streams_;
  std::map<int, int> of_stream_;
  std::unique_ptr<Graph> to_;
  std::vector<Value> mapped_;
};

}  // namespace

void ScalePlan::add(ScalePlan other) {
  halvings.merge(other.halvings);
  streams.insert(streams.end(), other.streams.begin(), other.streams.end());
  unscaled.insert(unscaled.end(), other.unscaled.begin(), other.unscaled.end());
}

ScalePlan plan_scales(const Graph& semantic, const ExpansionTable& table, const std::map<std::string, float>& peaks, double limit) {
  return Planner(semantic, peaks, limit).plan(table);
}

std::unique_ptr<Graph> rescaled(const Graph& semantic, const std::map<std::string, int>& halvings, const std::set<std::string>& carried) {
  return Rescaler(semantic, halvings, carried).run();
}

float scale_of(const Node& node) {
  const auto at = node.attributes.find(kScaleAttribute);
  return at == node.attributes.end() ? 1.0F : std::get<float>(at->second);
}

}  // namespace fastvlm::ops
