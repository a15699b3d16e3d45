#include "fastvlm/device/bundle_plan.h"

#include <algorithm>
#include <numeric>

#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/clients/export_layouts.h"
#include "fastvlm/device/genie_bundle.h"
#include "fastvlm/device/make_selftest.h"
#include "fastvlm/device/selftest.h"
#include "fastvlm/session/probed_graph.h"

namespace fastvlm::device {
namespace {

Status check_runtime(const std::string& runtime) {
  if (runtime == kOnnxRuntime || runtime == kGenie) return {};
  return bad_option("runtime", "{}: is neither onnxruntime nor genie", runtime);
}

// Tokenizer, configs and the table; no graph, no weights.
bool goes_along(const std::string& file) {
  if (file.find('/') != std::string::npos || file == kInt8TableFile || file.starts_with(kUint16TableStart)) return false;
  return !file.ends_with(".onnx") && !file.ends_with(".onnx.data");
}

// Every context of the graphs that go along, each once.
Result<std::vector<ContextEntry>> compiled_contexts(const BundlePlan& plan) {
  std::vector<ContextEntry> contexts;
  for (const GraphEntry& graph : plan.folder.manifest.graphs) {
    TRY_ASSIGN(const ContextEntry context, compiled_context(plan, graph.name));
    if (std::ranges::any_of(context.graphs, [](const auto& wrapped) { return wrapped.wrapper.empty(); }))
      return bad_input(
          "{}: the context {} for {} was compiled by the tools of an SDK and has no ONNX wrapper, which ONNX Runtime needs; "
          "compile without `sdk`",
          plan.folder.path.string(), context.binary, plan.chip.chip->name);
    if (std::ranges::find(contexts, context.binary, &ContextEntry::binary) == contexts.end()) contexts.push_back(context);
  }
  return contexts;
}

// The vision graph of the questions and the decoder's longest chunk, all parts of it: what a search for the first wrong tensor needs.
std::vector<std::string> graphs_to_probe(const OutputFolder& folder, std::int64_t vision_size) {
  std::int64_t longest = 1;
  for (const GraphEntry& graph : folder.manifest.graphs) longest = std::max(longest, graph.extents.new_tokens);
  std::vector<std::string> names;
  for (const GraphEntry& graph : folder.manifest.graphs) {
    const bool layers = std::ranges::any_of(graph.outputs, [](const ValueEntry& output) { return output.name.starts_with("past_key_"); });
    if (graph.role == GraphRole::kVision ? graph.extents.image_size == vision_size : graph.extents.new_tokens == longest && layers)
      names.push_back(graph.name);
  }
  return names;
}

Status plan_contexts(const BundleOptions& options, BundlePlan& plan) {
  TRY_ASSIGN(std::vector<ContextEntry> compiled, compiled_contexts(plan));
  const std::string folder = compiled_folder(plan.chip.chip->name);
  for (const ContextEntry& context : compiled) {
    if (options.unshared && context.graphs.size() > 1) {
      for (const auto& wrapped : context.graphs) TRY(plan_compile(plan, {.graph = wrapped.name}, folder + wrapped.name + "_ctx_qnn.bin"));
      continue;
    }
    TRY(plan_file(plan, folder + context.binary, folder + context.binary));
    for (const auto& wrapped : context.graphs) TRY(plan_file(plan, folder + wrapped.wrapper, folder + wrapped.wrapper));
    plan.contexts.push_back(context);
  }
  TRY_ASSIGN(const std::int64_t size, question_size(plan.folder));
  if (options.probe)
    for (const std::string& graph : graphs_to_probe(plan.folder, size))
      TRY(plan_compile(plan, {.graph = graph, .probed = true}, fmt::format("{}{}{}_ctx_qnn.bin", folder, graph, kProbedEnd)));
  return {};
}

std::uint64_t bytes_of(const std::vector<ValueEntry>& values, bool decoder_chunk) {
  std::uint64_t bytes = 0;
  for (const ValueEntry& value : values) {
    if (decoder_chunk && value.name == "logits") continue;
    std::uint64_t count = byte_size(value.number_type());
    for (const Dim& dim : value.shape) count *= static_cast<std::uint64_t>(dim.value);
    bytes += count;
  }
  return bytes;
}

// Pixels and features of each picture, rows of logits, and one run of every graph. Caches that are empty are not stored.
void plan_selftest(const BundleOptions& options, BundlePlan& plan) {
  const std::uint64_t pictures = options.pictures.empty() ? 2 : options.pictures.size();
  std::uint64_t bytes = 0;
  for (const GraphEntry& graph : plan.folder.manifest.graphs) {
    const bool chunk = graph.role == GraphRole::kDecoder && graph.extents.new_tokens > 1;
    bytes += bytes_of(graph.outputs, chunk) + (chunk ? 0 : bytes_of(graph.inputs, false));
    if (graph.role == GraphRole::kVision) bytes += pictures * (bytes_of(graph.inputs, false) + bytes_of(graph.outputs, false));
  }
  bytes += pictures * static_cast<std::uint64_t>(options.answer_rows * plan.folder.text().vocab_size * 4);
  plan.files.push_back({.name = fmt::format("{}/", kSelfTestFolder), .bytes = bytes, .made = "self-test", .about = true});
}

Status plan_for_onnxruntime(const BundleOptions& options, BundlePlan& plan) {
  TRY(plan_contexts(options, plan));
  for (const auto& [name, file] : plan.folder.manifest.files)
    if (goes_along(name)) TRY(plan_file(plan, name, name));
  return {};
}

// A folder for another program has no graphs that could make a self-test.
Status check_is_no_layout(const Path& folder) {
  std::error_code failure;
  if (std::filesystem::exists(folder / kManifestFile, failure) || !std::filesystem::exists(folder / kLayoutsFile, failure)) return {};
  return bad_input(
      "{}: was exported for another program; a bundle for Genie, too, is made of a plain export, so export with `targets` and without "
      "`layouts` first",
      folder.string());
}

}  // namespace

Status plan_file(BundlePlan& plan, const std::string& name, const std::string& as) {
  std::error_code failure;
  const Path source = std::filesystem::canonical(plan.folder.path / name, failure);
  const std::uint64_t bytes = failure ? 0 : std::filesystem::file_size(source, failure);
  if (failure) return bad_input("{}: is missing; export again", (plan.folder.path / name).string());
  plan.files.push_back({.name = as, .bytes = bytes, .made = "linked", .source = source});
  return {};
}

Status plan_compile(BundlePlan& plan, const ContextToCompile& one, const std::string& file) {
  const auto graph = std::ranges::find(plan.folder.manifest.graphs, one.graph, &GraphEntry::name);
  CompileLoadSum sum;
  TRY(sum.add(plan.folder.path / graph->file));
  plan.files.push_back({.name = file,
                        .bytes = plan.chip.target->context_bytes(sum.load()),
                        .made = one.probed         ? "compiled, with probes"
                                : one.coded_pixels ? "compiled, with 16-bit pixels"
                                                   : "compiled alone",
                        .about = true});
  plan.to_compile.push_back(one);
  return {};
}

Result<ContextEntry> compiled_context(const BundlePlan& plan, const std::string& graph) {
  const std::string& chip = plan.chip.chip->name;
  const auto entry = std::ranges::find(plan.folder.manifest.targets, chip, &TargetEntry::chip);
  if (entry == plan.folder.manifest.targets.end())
    return bad_input("{}: not compiled for {}; run compile with `targets` {} first", plan.folder.path.string(), chip, chip);
  const auto has_it = [&](const ContextEntry& context) {
    return std::ranges::find(context.graphs, graph, &ContextEntry::Wrapped::name) != context.graphs.end();
  };
  const auto context = std::ranges::find_if(entry->contexts, has_it);
  if (context == entry->contexts.end())
    return bad_input("{}: the graph {} was not compiled for {}; run compile with `targets` {} again", plan.folder.path.string(), graph,
                     chip, chip);
  return *context;
}

std::uint64_t BundlePlan::total_bytes() const {
  return std::accumulate(files.begin(), files.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const PlannedFile& file) { return sum + file.bytes; });
}

Result<BundlePlan> plan_bundle(const BundleOptions& options) {
  TRY(check_runtime(options.runtime));
  if (options.answer_rows < 1) return bad_option("answer_rows", "{}: must be at least 1", options.answer_rows);
  BundlePlan plan;
  TRY_ASSIGN(plan.chip, find_chip(options.known_targets, options.target));
  TRY(check_is_no_layout(options.output_dir));
  TRY_ASSIGN(plan.folder, open_output_folder(options.output_dir));
  TRY_ASSIGN(plan.folder, with_recipe(std::move(plan.folder), options.recipe));
  std::erase_if(plan.folder.manifest.graphs,
                [](const GraphEntry& graph) { return graph.role != GraphRole::kVision && graph.role != GraphRole::kDecoder; });
  TRY(options.runtime == kGenie ? plan_genie(options, plan) : plan_for_onnxruntime(options, plan));
  plan_selftest(options, plan);
  return plan;
}

OrderedJson plan_json(const BundlePlan& plan, const BundleOptions& options) {
  OrderedJson files = OrderedJson::array();
  for (const PlannedFile& file : plan.files) {
    OrderedJson row = {{"name", file.name}, {"bytes", file.bytes}, {"made", file.made}};
    if (file.about) row["about"] = true;
    files.push_back(std::move(row));
  }
  return {{"target", plan.chip.chip->name},
          {"runtime", options.runtime},
          {"recipe", plan.folder.recipe()},
          {"files", files},
          {"total_bytes", plan.total_bytes()}};
}

}  // namespace fastvlm::device
