#include <fmt/format.h>

#include <chrono>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/npu_arguments.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/compile/compile_output.h"
#include "fastvlm/export/export.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

Result<ExportOptions> options_of(const ExportArguments& arguments, const CommonArguments& common) {
  ExportOptions options{.model_dir = arguments.model_dir,
                        .output_dir = arguments.output_dir,
                        .image_size = arguments.image_size,
                        .dtype = arguments.dtype == "float16" ? Dtype::kFloat16 : Dtype::kFloat32,
                        .force = arguments.force,
                        .refuse_not_finite = arguments.refuse_not_finite,
                        .threads = common.threads};
  if (!arguments.npu.targets.empty()) {
    TRY_ASSIGN(options.npu, npu_options(arguments.npu));
  }
  return options;
}

void print_findings(const std::vector<std::string>& findings) {
  for (const std::string& finding : findings) print_line("note: " + finding);
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
    print_line(fmt::format("\n{} ({}): HTP v{}, VTCM {}, at most {} in one context, cache {} for each token",
                           target["target"].get<std::string>(), target["marketing"].get<std::string>(), target["htp_arch"].get<int>(),
                           target["vtcm_mib"] == 0 ? "not known" : target["vtcm_mib"].dump() + " MiB",
                           human_bytes(target["context_limit_bytes"].get<std::uint64_t>()),
                           human_bytes(target["cache_bytes_per_token"].get<std::uint64_t>())));
    std::vector<std::vector<std::string>> rows = {{"context", "weights", "graphs"}};
    for (const auto& context : target["contexts"]) {
      std::string graphs;
      for (const auto& graph : context["graphs"]) graphs += (graphs.empty() ? "" : ", ") + graph.get<std::string>();
      rows.push_back({context["group"].get<std::string>(), human_bytes(context["weight_bytes"].get<std::uint64_t>()), graphs});
    }
    print_table(rows);
    print_findings(target["findings"].get<std::vector<std::string>>());
  }
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
  print_line(fmt::format("\n{} in all, at most {} of memory while writing", human_bytes(plan["total_bytes"].get<std::uint64_t>()),
                         human_bytes(plan["peak_memory_bytes"].get<std::uint64_t>())));
  print_findings(plan["findings"].get<std::vector<std::string>>());
  print_npu_plan(plan["npu"]);
}

}  // namespace

int export_command(const ExportArguments& arguments, const CommonArguments& common) {
  auto options = options_of(arguments, common);
  if (!options) return print_error(options.error());
  const bool compile = options->npu && arguments.npu.compile;
  if (compile) {
    auto possible = check_compile({.targets = options->npu->targets, .runtimes = common.runtimes});
    if (!possible) return print_error(std::move(possible).error().within("--target (--no-compile writes the graphs alone)"));
  }
  auto progress = make_progress(common.quiet || common.json);
  const auto begin = std::chrono::steady_clock::now();
  auto report = run_export(*options, *progress);
  if (!report) return print_error(report.error());
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  std::vector<CompiledTarget> contexts;
  if (compile) {
    auto compiled = compile_output({.output_dir = arguments.output_dir,
                                    .targets = options->npu->targets,
                                    .runtimes = common.runtimes,
                                    .program = own_executable(),
                                    .cache_folder = common.runtimes.cache_folder,
                                    .jobs = arguments.npu.jobs},
                                   *progress);
    if (!compiled) return print_error(std::move(compiled).error().within("the graphs are written, but not compiled"));
    contexts = std::move(*compiled);
  }
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"bytes", report->bytes},
                {"seconds", seconds},
                {"files", to_json(report->files)},
                {"findings", report->findings},
                {"contexts", compiled_json(contexts)}});
    return 0;
  }
  print_findings(report->findings);
  print_line(fmt::format("{}: {} files, {}, {:.1f} s", arguments.output_dir.string(), report->files.size() + 1, human_bytes(report->bytes),
                         seconds));
  if (!contexts.empty()) print_compiled(contexts, false);
  return 0;
}

int plan_command(const ExportArguments& arguments, const CommonArguments& common) {
  auto options = options_of(arguments, common);
  if (!options) return print_error(options.error());
  auto prepared = prepare_export(*options);
  if (!prepared) return print_error(prepared.error());
  OrderedJson plan = plan_json(**prepared);
  auto npu = npu_plan_json(**prepared);
  if (!npu) return print_error(npu.error());
  plan["npu"] = *npu;
  if (common.json)
    print_json(plan);
  else
    print_plan(plan);
  return 0;
}

}  // namespace fastvlm::cli
