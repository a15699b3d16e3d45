#include "fastvlm/export/npu_plan.h"

#include "fastvlm/base/machine_memory.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/speed_bound.h"
#include "fastvlm/export/prepare_integers.h"
#include "fastvlm/graph/cost.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

constexpr std::uint64_t kHalfBytes = byte_size(Dtype::kFloat16);  // HTP computes float graphs in half precision

struct PlannedContext {
  std::vector<std::string> graphs;
  CompileLoadSum load;
};

std::map<std::string, PlannedContext> contexts_of(const PreparedExport& p, bool sharing) {
  std::map<std::string, PlannedContext> contexts;
  for (const PreparedGraph& graph : p.graphs) {
    if (!graph.entry.npu()) continue;
    PlannedContext& context = contexts[sharing ? graph.entry.group : graph.entry.name];
    context.graphs.push_back(graph.entry.name);
    context.load.add(*graph.graph);
  }
  return contexts;
}

std::string gigabytes(std::uint64_t bytes) { return fmt::format("{:.2f} GB", static_cast<double>(bytes) / 1e9); }

// One row for each context; what is wrong with them goes to `findings`.
OrderedJson contexts_json(const PreparedExport& p, const ChosenChip& chosen, std::vector<std::string>& findings) {
  const Chip& chip = *chosen.chip;
  const std::uint64_t memory = available_memory();
  OrderedJson rows = OrderedJson::array();
  for (const auto& [name, context] : contexts_of(p, chip.weight_sharing)) {
    const CompileLoad load = context.load.load();
    const std::uint64_t needed = chosen.target->compile_memory(load);
    rows.push_back({{"group", name},
                    {"graphs", context.graphs},
                    {"weight_bytes", load.weight_bytes},
                    {"estimated_context_bytes", chosen.target->context_bytes(load)},
                    {"estimated_compile_memory_bytes", needed}});
    if (load.weight_bytes > chip.context_limit_bytes)
      findings.push_back(
          fmt::format("{} needs {}, more than the {} that one context of {} may have; {}", name, gigabytes(load.weight_bytes),
                      gigabytes(chip.context_limit_bytes), chip.name,
                      name.starts_with("decoder") ? "cut the decoder with a smaller `part_limit_bytes`" : "this graph cannot be cut"));
    if (needed > memory)
      findings.push_back(
          fmt::format("compiling {} takes about {} of memory, this machine has {} available", name, gigabytes(needed), gigabytes(memory)));
  }
  return rows;
}

// What a host hands on of the cache.
struct CacheAtEdges {
  std::string recipe;
  Dtype type = Dtype::kFloat32;
  std::uint64_t bytes_per_token = 0;

  void add(const std::vector<ValueEntry>& values) {
    for (const ValueEntry& value : values) {
      if (!is_cache(value.name)) continue;
      type = value.type;
      bytes_per_token += static_cast<std::uint64_t>(element_count(*static_shape(value.shape))) * byte_size(type);
    }
  }
};

// For each recipe: of all parts, in and out.
OrderedJson cache_at_edges(const PreparedExport& p) {
  std::vector<CacheAtEdges> caches;
  for (const PreparedGraph& graph : p.graphs) {
    const GraphEntry& entry = graph.entry;
    if (entry.role != GraphRole::kDecoder || entry.extents.new_tokens != 1) continue;
    if (caches.empty() || caches.back().recipe != entry.recipe()) caches.push_back({.recipe = std::string(entry.recipe())});
    caches.back().add(entry.inputs), caches.back().add(entry.outputs);
  }
  OrderedJson rows = OrderedJson::array();
  for (const CacheAtEdges& cache : caches)
    rows.push_back({{"recipe", cache.recipe}, {"type", name(cache.type)}, {"bytes_per_token", cache.bytes_per_token}});
  return rows;
}

OrderedJson target_json(const PreparedExport& p, const ChosenChip& chosen) {
  const Chip& chip = *chosen.chip;
  const TextConfig& text = p.config.text;
  std::vector<std::string> findings;
  OrderedJson contexts = contexts_json(p, chosen, findings);
  std::vector<PrecisionNeed> needs = precisions_needed(*p.options.npu);
  needs.insert(needs.end(), p.matrices.begin(), p.matrices.end());
  for (const PrecisionNeed& need : needs)
    if (auto why = chosen.target->refuses(chip, need.precision))
      findings.push_back(fmt::format("export will refuse {} on this chip: {}", need.sentence(), *why));
  if (!chip.weight_sharing)
    findings.push_back(
        fmt::format("{} ({}) cannot share weights between graphs; each graph gets a context of its own", chip.name, chip.architecture));
  OrderedJson row = {{"target", chip.name}, {"marketing", chip.marketing}};
  for (const auto& [name, number] : chip.numbers) row[name] = number;
  std::vector<GraphWork> works;
  for (const PreparedGraph& graph : p.graphs)
    if (graph.entry.npu()) works.push_back({.graph = graph.entry, .weight_bytes = total_weight_bytes(*graph.graph)});
  row.update({{"architecture", chip.architecture},
              {"memory", chip.memory},
              {"context_limit_bytes", chip.context_limit_bytes},
              {"contexts", contexts},
              {"cache_bytes_per_token",
               static_cast<std::uint64_t>(2 * text.num_hidden_layers * text.num_key_value_heads * text.head_dim) * kHalfBytes},
              {"cache_at_edges", cache_at_edges(p)},
              {"speed_bound", speed_bound_json(chip, runs_of(works))},
              {"findings", findings}});
  return row;
}

}  // namespace

Result<OrderedJson> npu_plan_json(const PreparedExport& p) {
  OrderedJson rows = OrderedJson::array();
  if (!p.options.npu) return rows;
  TRY_ASSIGN(const auto chips, find_chips(p.options.npu->known_targets, p.options.npu->targets));
  for (const ChosenChip& chosen : chips) rows.push_back(target_json(p, chosen));
  return rows;
}

}  // namespace fastvlm
