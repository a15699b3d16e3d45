#include "fastvlm/onnx/sort_nodes.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <set>
#include <unordered_map>
#include <unordered_set>

namespace fastvlm {
namespace {

// What the nodes of a branch use and what is not made there, at any depth; protobuf bounds the depth of the file.
void collect_outer_uses(const onnx::GraphProto& branch, std::unordered_set<std::string>& uses) {
  std::unordered_set<std::string> used, own;
  for (const auto& value : branch.input()) own.insert(value.name());
  for (const auto& value : branch.initializer()) own.insert(value.name());
  for (const auto& value : branch.sparse_initializer()) own.insert(value.values().name());
  for (const auto& value : branch.output()) used.insert(value.name());
  for (const auto& node : branch.node()) {
    own.insert(node.output().begin(), node.output().end());
    used.insert(node.input().begin(), node.input().end());
    for (const auto& attribute : node.attribute()) {
      if (attribute.has_g()) collect_outer_uses(attribute.g(), used);
      for (const auto& inner : attribute.graphs()) collect_outer_uses(inner, used);
    }
  }
  for (const std::string& name : used)
    if (!own.contains(name)) uses.insert(name);
}

std::unordered_set<std::string> uses_of(const onnx::NodeProto& node) {
  std::unordered_set<std::string> uses(node.input().begin(), node.input().end());
  for (const auto& attribute : node.attribute()) {
    if (attribute.has_g()) collect_outer_uses(attribute.g(), uses);
    for (const auto& branch : attribute.graphs()) collect_outer_uses(branch, uses);
  }
  return uses;
}

// For each node those that make what it uses, and the name of one value that they hand over.
using Makers = std::vector<std::vector<std::pair<int, std::string>>>;

Makers makers_of(const onnx::GraphProto& graph) {
  std::unordered_map<std::string, int> producers;
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& output : graph.node(i).output())
      if (!output.empty()) producers.emplace(output, i);
  Makers makers(static_cast<std::size_t>(graph.node_size()));
  for (int i = 0; i < graph.node_size(); ++i)
    for (const std::string& use : uses_of(graph.node(i)))
      if (const auto found = producers.find(use); found != producers.end())
        makers[static_cast<std::size_t>(i)].emplace_back(found->second, use);
  return makers;
}

bool is_sorted(const Makers& makers) {
  for (std::size_t i = 0; i < makers.size(); ++i)
    for (const auto& [maker, value] : makers[i])
      if (maker >= static_cast<int>(i)) return false;
  return true;
}

// The nodes in order, as far as there is one.
std::vector<int> order_of(const Makers& makers) {
  std::vector<std::vector<int>> users(makers.size());
  std::vector<std::size_t> waits(makers.size());
  std::priority_queue<int, std::vector<int>, std::greater<>> ready;
  for (std::size_t i = 0; i < makers.size(); ++i) {
    waits[i] = makers[i].size();
    if (waits[i] == 0) ready.push(static_cast<int>(i));
    for (const auto& [maker, value] : makers[i]) users[static_cast<std::size_t>(maker)].push_back(static_cast<int>(i));
  }
  std::vector<int> order;
  while (!ready.empty()) {
    order.push_back(ready.top());
    ready.pop();
    for (int user : users[static_cast<std::size_t>(order.back())])
      if (--waits[static_cast<std::size_t>(user)] == 0) ready.push(user);
  }
  return order;
}

// Every node that has no place waits for another one, so a walk from maker to maker comes round.
std::vector<std::string> circle_of(const Makers& makers, const std::vector<int>& order) {
  std::vector<bool> placed(makers.size());
  for (int node : order) placed[static_cast<std::size_t>(node)] = true;
  auto at = static_cast<std::size_t>(std::ranges::find(placed, false) - placed.begin());
  std::unordered_map<std::size_t, std::size_t> visited;
  std::vector<std::string> values;
  while (visited.emplace(at, values.size()).second) {
    const auto next = std::ranges::find_if(makers[at], [&](const auto& m) { return !placed[static_cast<std::size_t>(m.first)]; });
    values.push_back(next->second);
    at = static_cast<std::size_t>(next->first);
  }
  values.erase(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(visited[at]));
  std::ranges::reverse(values);
  return values;
}

}  // namespace

std::vector<std::string> sort_nodes(onnx::GraphProto& graph) {
  const Makers makers = makers_of(graph);
  if (is_sorted(makers)) return {};
  const std::vector<int> order = order_of(makers);
  if (order.size() < makers.size()) return circle_of(makers, order);
  google::protobuf::RepeatedPtrField<onnx::NodeProto> nodes;
  for (int node : order) nodes.Add()->Swap(graph.mutable_node(node));
  graph.mutable_node()->Swap(&nodes);
  return {};
}

}  // namespace fastvlm
