#include "fastvlm/rewrite/pipeline.h"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <unordered_map>

#include "fastvlm/base/assert.h"

namespace fastvlm::rewrite {
namespace {

std::string describe(const Attribute& attribute) {
  if (const auto* list = std::get_if<std::vector<std::int64_t>>(&attribute)) return fmt::format("{}", to_string(*list));
  if (const auto* integer = std::get_if<std::int64_t>(&attribute)) return fmt::format("{}", *integer);
  if (const auto* real = std::get_if<float>(&attribute)) return fmt::format("{:a}f", *real);
  if (const auto* wide = std::get_if<double>(&attribute)) return fmt::format("{:a}", *wide);
  // With its length, so that no text can look like the attributes behind it.
  const std::string& text = std::get<std::string>(attribute);
  return fmt::format("{}\"{}\"", text.size(), text);
}

std::string key_of(const Node& node) {
  std::string key = node.domain + ":" + node.op;
  for (int input : node.inputs) key += fmt::format(" {}", input);
  for (const auto& [name, attribute] : node.attributes) key += fmt::format(" {}={}", name, describe(attribute));
  return key;
}

bool is_output(const Graph& graph, int value) {
  for (int output : graph.outputs())
    if (output == value) return true;
  return false;
}

std::size_t merge_equal_nodes(Graph& graph) {
  std::unordered_map<std::string, std::size_t> seen;
  std::vector<bool> keep(graph.nodes().size(), true);
  std::size_t removed = 0;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    auto [at, added] = seen.try_emplace(key_of(graph.nodes()[i]), i);
    if (added) continue;
    const Node first = graph.nodes()[at->second], again = graph.nodes()[i];
    bool named = false;
    for (int output : again.outputs) named = named || is_output(graph, output);
    if (named) continue;
    for (std::size_t o = 0; o < again.outputs.size(); ++o) graph.replace_uses(again.outputs[o], first.outputs[o]);
    keep[i] = false;
    ++removed;
  }
  graph.keep_nodes(keep);
  return removed;
}

std::size_t remove_unused_nodes(Graph& graph) {
  std::vector<bool> used(graph.values().size(), false);
  for (int output : graph.outputs()) used[static_cast<std::size_t>(output)] = true;
  std::vector<bool> keep(graph.nodes().size(), false);
  std::size_t removed = 0;
  for (std::size_t i = graph.nodes().size(); i-- > 0;) {
    const Node& node = graph.nodes()[i];
    for (int output : node.outputs) keep[i] = keep[i] || used[static_cast<std::size_t>(output)];
    if (!keep[i])
      ++removed;
    else
      for (int input : node.inputs)
        if (input >= 0) used[static_cast<std::size_t>(input)] = true;
  }
  graph.keep_nodes(keep);
  return removed;
}

constexpr std::array kPasses = {
    Pass{"merge_equal_nodes", "layers share what they compute alike: the turned cos and sin tables, the head views of the mask",
         merge_equal_nodes},
    Pass{"remove_unused_nodes", "an expansion may make a value that nobody takes", remove_unused_nodes},
};

}  // namespace

std::span<const Pass> passes() { return kPasses; }

void check_graph(const Graph& graph) {
  std::vector<bool> made(graph.values().size(), false);
  for (int input : graph.inputs()) made[static_cast<std::size_t>(input)] = true;
  for (const Node& node : graph.nodes()) {
    for (int input : node.inputs)
      FASTVLM_ASSERT(input < 0 || made[static_cast<std::size_t>(input)] || graph.value(input).is_constant(),
                     "a value is made before its use");
    for (int output : node.outputs) {
      FASTVLM_ASSERT(!made[static_cast<std::size_t>(output)], "a value is made once");
      made[static_cast<std::size_t>(output)] = true;
    }
  }
  for (int output : graph.outputs()) FASTVLM_ASSERT(made[static_cast<std::size_t>(output)], "an output is made");
}

std::vector<PassOutcome> run_passes(Graph& graph, const PipelineOptions& options) {
  std::vector<PassOutcome> outcomes;
  check_graph(graph);
  for (const Pass& pass : kPasses) {
    if (options.off.contains(pass.name)) continue;
    const auto begin = std::chrono::steady_clock::now();
    const std::size_t removed = pass.run(graph);
    check_graph(graph);
    outcomes.push_back({pass.name, removed, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()});
  }
  return outcomes;
}

}  // namespace fastvlm::rewrite
