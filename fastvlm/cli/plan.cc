// plan: what export would write.
#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/cli/export_arguments.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/print_speed_bound.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/export/export.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/export/prepare_plan.h"

namespace fastvlm::cli {
namespace {

void add_options(OptionTable& options, ExportArguments& a, CommonArguments& common) {
  add_export_options(options, a, common, /*plan=*/true);
}

void print_model(const OrderedJson& plan) {
  const auto& text = plan["model"]["text"];
  print_line(fmt::format("{}: {} parameters in {} tensors, {}", plan["model"]["model_type"].get<std::string>(),
                         plan["checkpoint"]["parameters"].get<std::int64_t>(), plan["checkpoint"]["tensors"].get<std::int64_t>(),
                         human_bytes(plan["checkpoint"]["bytes"].get<std::uint64_t>())));
  print_line(fmt::format("decoder: {} layers, hidden size {}, {} heads over {} key/value heads of {}, vocabulary {}{}",
                         text["num_hidden_layers"].get<int>(), text["hidden_size"].get<int>(), text["num_attention_heads"].get<int>(),
                         text["num_key_value_heads"].get<int>(), text["head_dim"].get<int>(), text["vocab_size"].get<int>(),
                         text["tie_word_embeddings"].get<bool>() ? ", head tied" : ""));
  print_line(fmt::format("tower: stages of {} blocks with {} channels, image size {}", plan["model"]["vision"]["depths"].dump(),
                         plan["model"]["vision"]["channels"].dump(), plan["image_size"].get<int>()));
}

void print_npu_plan(const OrderedJson& targets) {
  for (const auto& target : targets) {
    print_line(fmt::format("\n{} ({}): {}, {}, at most {} in one context, cache {} for each token", target["target"].get<std::string>(),
                           target["marketing"].get<std::string>(), target["architecture"].get<std::string>(),
                           target["memory"].get<std::string>(), human_bytes(target["context_limit_bytes"].get<std::uint64_t>()),
                           human_bytes(target["cache_bytes_per_token"].get<std::uint64_t>())));
    std::vector<std::vector<std::string>> rows = {{"context", "weights", "size, about", "memory to compile, about", "graphs"}};
    for (const auto& context : target["contexts"]) {
      std::string graphs;
      for (const auto& graph : context["graphs"]) graphs += (graphs.empty() ? "" : ", ") + graph.get<std::string>();
      rows.push_back({context["group"].get<std::string>(), human_bytes(context["weight_bytes"].get<std::uint64_t>()),
                      human_bytes(context["estimated_context_bytes"].get<std::uint64_t>()),
                      human_bytes(context["estimated_compile_memory_bytes"].get<std::uint64_t>()), graphs});
    }
    print_table(rows);
    for (const auto& cache : target["cache_at_edges"])
      print_line(fmt::format("{}: {} of keys and values, as {}, pass in and out for each token", cache["recipe"].get<std::string>(),
                             human_bytes(cache["bytes_per_token"].get<std::uint64_t>()), cache["type"].get<std::string>()));
    print_speed_bound(target["speed_bound"]);
    print_findings(target["findings"].get<std::vector<std::string>>());
  }
}

void print_range_scales(const OrderedJson& scales) {
  if (scales.empty()) return;
  std::vector<std::vector<std::string>> rows = {{"scaled stream", "reaches", "at", "factor"}};
  for (const auto& scale : scales)
    rows.push_back({scale["name"].get<std::string>(), fmt::format("{:.4g}", scale["absmax"].get<double>()),
                    scale["largest"].get<std::string>(), fmt::format("2^-{}", scale["halvings"].get<int>())});
  print_line("");
  print_table(rows);
}

// One line where all have one form for one reason.
void print_gelus(const OrderedJson& gelus) {
  if (gelus.empty()) return;
  const OrderedJson& first = gelus.front();
  if (std::ranges::all_of(gelus, [&](const OrderedJson& g) { return g["form"] == first["form"] && g["why"] == first["why"]; })) {
    print_line(fmt::format("\n{} GELUs in static graphs: {} ({})", gelus.size(), first["form"].get<std::string>(),
                           first["why"].get<std::string>()));
    return;
  }
  std::vector<std::vector<std::string>> rows = {{"GELU", "form", "why"}};
  for (const OrderedJson& gelu : gelus)
    rows.push_back({gelu["name"].get<std::string>(), gelu["form"].get<std::string>(), gelu["why"].get<std::string>()});
  print_line("");
  print_table(rows);
}

void print_plan(const OrderedJson& plan) {
  print_model(plan);
  std::vector<std::vector<std::string>> graphs = {{"graph", "nodes", "GMACs"}}, files = {{"file", "bytes", "made"}};
  for (const auto& row : plan["graphs"])
    graphs.push_back({row["file"].get<std::string>(), row["nodes"].dump(),
                      row.contains("macs") ? fmt::format("{:.2f}", row["macs"].get<double>() / 1e9) : "-"});
  for (const auto& row : plan["files"])
    files.push_back({row["name"].get<std::string>(), row["bytes"].dump(), row["made"].get<std::string>()});
  print_line("");
  print_table(graphs);
  print_line("");
  print_table(files);
  print_range_scales(plan["range_scales"]);
  print_gelus(plan["gelus"]);
  const auto total = plan["total_bytes"].get<std::uint64_t>(), contexts = plan["estimated_context_bytes"].get<std::uint64_t>();
  print_line(fmt::format("\n{} in all, at most {} of memory while writing", human_bytes(total),
                         human_bytes(plan["peak_memory_bytes"].get<std::uint64_t>())));
  if (contexts > 0)
    print_line(fmt::format(
        "With the contexts, which are only estimated, about {} in all; about {} of memory while compiling, one context at a time",
        human_bytes(total + contexts), human_bytes(plan["estimated_compile_memory_bytes"].get<std::uint64_t>())));
  print_findings(plan["findings"].get<std::vector<std::string>>());
  print_npu_plan(plan["npu"]);
}

// What compiling adds: nothing with --no-compile.
void add_estimates(OrderedJson& plan, bool compile) {
  std::uint64_t bytes = 0, memory = 0;
  for (const auto& target : plan["npu"])
    for (const auto& context : target["contexts"]) {
      bytes += context["estimated_context_bytes"].get<std::uint64_t>();
      memory = std::max(memory, context["estimated_compile_memory_bytes"].get<std::uint64_t>());
    }
  plan["estimated_context_bytes"] = compile ? bytes : 0;
  plan["estimated_compile_memory_bytes"] = compile ? memory : 0;
}

ExitCode plan_layouts(const ExportArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(clients::LayoutExportOptions options, layout_options(arguments, common));
  TRY(add_ranges(options.model, arguments, common, RangesUse::kPlan));
  TRY_ASSIGN(const auto planned, clients::plan_layouts(options));
  OrderedJson files = OrderedJson::array();
  std::vector<std::vector<std::string>> rows = {{"file", "bytes", "made"}};
  std::uint64_t total = 0;
  for (const PlannedFile& file : planned) {
    files.push_back({{"name", file.name}, {"bytes", file.bytes}, {"made", file.made}});
    rows.push_back({file.name, std::to_string(file.bytes), file.made});
    total += file.bytes;
  }
  if (common.json) {
    print_json({{"files", files}, {"total_bytes", total}});
    return 0;
  }
  print_table(rows);
  print_line(fmt::format("\n{} in all, and {}", human_bytes(total), kLayoutsFile));
  return 0;
}

ExitCode run(const ExportArguments& arguments, const CommonArguments& common) {
  if (arguments.size.empty() && arguments.model_dir.empty())
    return bad_usage("--model-dir is required, or --size for a plan without a folder");
  if (!arguments.layouts.empty()) {
    if (!arguments.size.empty()) return bad_usage("--layout: is planned from a folder; give --model-dir in the place of --size");
    return plan_layouts(arguments, common);
  }
  TRY_ASSIGN(ExportOptions options, export_options(arguments, common));
  TRY(add_ranges(options, arguments, common, RangesUse::kPlan));
  TRY_ASSIGN(const auto prepared, arguments.size.empty() ? prepare_plan(options) : prepare_plan_of_size(options, arguments.size));
  OrderedJson plan = plan_json(*prepared);
  TRY_ASSIGN(plan["npu"], npu_plan_json(*prepared));
  add_estimates(plan, arguments.npu.compile);
  spell_flags(plan);
  if (common.json)
    print_json(plan);
  else
    print_plan(plan);
  return 0;
}

}  // namespace

Verb plan_verb(CommonArguments& common) {
  return make_verb<ExportArguments>(
      {.name = "plan",
       .group = kConvertGroup,
       .summary = "Show what export would write: files, bytes, memory; writes nothing",
       .details = "Takes the options of export; --output-dir is optional. A folder with config.json alone will do.",
       .examples = "  fastvlm-npu plan --model-dir FastVLM-0.5B --target sm8750\n"
                   "  fastvlm-npu plan --size 7b --target sm8750"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
