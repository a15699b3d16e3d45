#include "fastvlm/graph/cut_graph.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

class Cutter {
 public:
  explicit Cutter(const Graph& graph) : graph_(graph), part_(graph.nodes().size()) {}

  Result<std::vector<GraphPart>> cut(const std::function<std::string(const Node&)>& name_of) {
    if (graph_.inputs().size() != 1 || graph_.outputs().size() != 1)
      return bad_input("{}: has {} inputs and {} outputs; only one of each can be cut", graph_.name(), graph_.inputs().size(),
                       graph_.outputs().size());
    TRY(assign(name_of));
    move_quantisers();
    std::vector<GraphPart> parts;
    int seam = graph_.inputs().front();
    for (std::size_t part = 0; part < names_.size(); ++part) {
      TRY_ASSIGN(const int behind, seam_behind(part));
      TRY_ASSIGN(auto graph, copied(part, seam, behind));
      parts.push_back({.name = names_[part], .graph = std::move(graph)});
      seam = behind;
    }
    return parts;
  }

 private:
  static std::size_t at(int index) { return static_cast<std::size_t>(index); }
  // -1: an input of the graph.
  int producer_of(int value) const { return value < 0 ? -1 : graph_.value(value).producer; }

  Status assign(const std::function<std::string(const Node&)>& name_of) {
    std::size_t leading = 0;  // nodes before the first part that has a name
    for (std::size_t i = 0; i < part_.size(); ++i) {
      const std::string name = name_of(graph_.nodes()[i]);
      if (name.empty() && names_.empty()) ++leading;
      if (!name.empty() && (names_.empty() || name != names_.back())) {
        if (std::ranges::find(names_, name) != names_.end())
          return bad_input("{}: \"{}\" and \"{}\" take turns; they cannot be cut apart", graph_.name(), name, names_.back());
        names_.push_back(name);
      }
      part_[i] = names_.empty() ? 0 : names_.size() - 1;
    }
    if (leading == part_.size()) return bad_input("{}: has no part", graph_.name());
    return {};
  }

  void move_quantisers() {
    for (std::size_t i = part_.size(); i-- > 0;) {
      const Node& node = graph_.nodes()[i];
      if (node.op != "QuantizeLinear") continue;
      std::size_t first = names_.size();
      for (std::size_t j = i + 1; j < part_.size(); ++j)
        if (std::ranges::find(graph_.nodes()[j].inputs, node.outputs[0]) != graph_.nodes()[j].inputs.end())
          first = std::min(first, part_[j]);
      if (first < names_.size()) part_[i] = first;
    }
  }

  // The value that later parts read of this one and those before it.
  Result<int> seam_behind(std::size_t part) const {
    if (part + 1 == names_.size()) return graph_.outputs().front();
    std::set<int> crossing;
    for (std::size_t i = 0; i < part_.size(); ++i) {
      if (part_[i] <= part) continue;
      for (const int input : graph_.nodes()[i].inputs) {
        const int producer = producer_of(input);
        const bool is_input = input == graph_.inputs().front();
        if (is_input || (producer >= 0 && part_[at(producer)] <= part)) crossing.insert(input);
      }
    }
    if (crossing.size() != 1)
      return bad_input("{}: {} values pass from \"{}\" to what follows; only one can", graph_.name(), crossing.size(), names_[part]);
    return *crossing.begin();
  }

  Result<std::unique_ptr<Graph>> copied(std::size_t part, int seam, int behind) const {
    auto to = std::make_unique<Graph>(names_[part]);
    std::vector<Value> values(graph_.values().size());
    const ValueInfo& given = graph_.value(seam);
    if (given.dtype != Dtype::kFloat32 || graph_.value(behind).dtype != Dtype::kFloat32)
      return bad_input("{}: \"{}\" takes or gives no floats", graph_.name(), names_[part]);
    values[at(seam)] = to->add_input(kPartInput, given.dtype, given.dims);
    for (std::size_t i = 0; i < part_.size(); ++i)
      if (part_[i] == part) copy(graph_.nodes()[i], *to, values);
    if (!values[at(behind)]) return bad_input("{}: \"{}\" gives nothing", graph_.name(), names_[part]);
    to->add_output(values[at(behind)], kPartOutput);
    return to;
  }

  void copy(const Node& node, Graph& to, std::vector<Value>& values) const {
    std::vector<Value> inputs;
    for (const int input : node.inputs) {
      if (input >= 0 && !values[at(input)]) values[at(input)] = constant(graph_.value(input), to);
      inputs.push_back(input < 0 ? Value() : values[at(input)]);
    }
    std::vector<OutputSpec> outputs;
    for (const int output : node.outputs) outputs.push_back({graph_.value(output).dtype, graph_.value(output).dims});
    const Scope scope(to, module_of(node), /*absolute=*/true);
    const std::vector<Value> made = to.add_node(node.domain, node.op, std::move(inputs), std::move(outputs), node.attributes);
    for (std::size_t i = 0; i < made.size(); ++i) values[at(node.outputs[i])] = made[i];
  }

  static Value constant(const ValueInfo& info, Graph& to) {
    if (info.weight == nullptr) return to.add_constant(*info.constant);
    const Value weight = to.add_weight(info.weight, info.name, info.dtype);
    if (info.encoding) to.set_encoding(weight.index(), *info.encoding);
    return weight;
  }

  const Graph& graph_;
  std::vector<std::size_t> part_;  // of each node
  std::vector<std::string> names_;
};

}  // namespace

Result<std::vector<GraphPart>> cut_graph(const Graph& graph, const std::function<std::string(const Node&)>& name_of) {
  return Cutter(graph).cut(name_of);
}

}  // namespace fastvlm
