#include "fastvlm/device/genie_bundle.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/clients/chip_layout.h"
#include "fastvlm/clients/genie_files.h"
#include "fastvlm/device/make_selftest.h"
#include "fastvlm/onnx/coded_input.h"

namespace fastvlm::device {
namespace {

constexpr std::size_t kMaxTextBytes = std::size_t{256} << 20;
// What run.sh makes pixels of a picture with.
constexpr const char* kPictureSettings[] = {"config.json", "preprocessor_config.json", "processor_config.json"};

const std::string kFolder = clients::kGenieFolder;

// What Genie has no place for. These are options of export, whose folder has to be made anew.
Status check_export(const OutputFolder& folder) {
  const std::string where = folder.path.string();
  for (const GraphEntry& graph : folder.manifest.graphs) {
    const auto has = [](const std::vector<ValueEntry>& values, auto&& test) { return std::ranges::any_of(values, test); };
    if (has(graph.inputs, [](const ValueEntry& value) { return value.type == Dtype::kFloat16; }))
      return bad_input("{}: was exported with `io_dtype` float16, but Genie hands on float32; export again without it", where);
    if (graph.activations != Activations::kFloat)
      return bad_input("{}: {} has integer activations, for which Genie has no form here; export again with a recipe such as w8", where,
                       graph.name);
    if (graph.extents.parts > 1)
      return bad_input("{}: the decoder is cut into {} parts, Genie takes one; raise `part_limit_bytes`, or choose fewer bits", where,
                       graph.extents.parts);
    if (graph.role == GraphRole::kDecoder && !has(graph.outputs, [](const ValueEntry& value) { return value.name == "logits"; }))
      return bad_input("{}: {} computes no logits, which Genie takes from it; export again with logits for prompts", where, graph.name);
  }
  return {};
}

// One context for both decoders where the chip shares weights, unless each is wanted alone.
Status plan_decoders(const BundleOptions& options, BundlePlan& plan) {
  const std::string compiled = compiled_folder(plan.chip.chip->name);
  for (const GraphEntry& graph : plan.folder.manifest.graphs) {
    if (graph.role != GraphRole::kDecoder) continue;
    TRY_ASSIGN(const ContextEntry context, compiled_context(plan, graph.name));
    const bool several = context.graphs.size() > 1;
    const std::string file = kFolder + (several && !options.unshared ? context.group : graph.name) + ".bin";
    if (std::ranges::find(plan.genie, file, &BundleContext::binary) != plan.genie.end()) {
      std::ranges::find(plan.genie, file, &BundleContext::binary)->graphs.push_back(graph.name);
      continue;
    }
    plan.genie.push_back({.binary = file, .graphs = {graph.name}});
    if (several && options.unshared)
      TRY(plan_compile(plan, {.graph = graph.name, .binary = file}, file));
    else
      TRY(plan_file(plan, compiled + context.binary, file));
  }
  return {};
}

Result<std::string> text_in(const OutputFolder& folder, const std::string& name) { return read_file(folder.path / name, kMaxTextBytes); }

Result<clients::TokenizerFiles> tokenizer_of(const OutputFolder& folder) {
  clients::TokenizerSource source{
      .folder = folder.path.string(), .vocab_size = folder.text().vocab_size, .eos_token_ids = folder.manifest.prompt.stop_token_ids};
  TRY_ASSIGN(source.tokenizer_json, text_in(folder, "tokenizer.json"));
  if (folder.manifest.files.contains("tokenizer_config.json")) {
    TRY_ASSIGN(source.tokenizer_config_json, text_in(folder, "tokenizer_config.json"));
  }
  return clients::tokenizer_files(source);
}

}  // namespace

Status plan_genie(const BundleOptions& options, BundlePlan& plan) {
  if (options.probe)
    return bad_option("probe", "Genie gives the tokens of an answer and nothing between; leave it out, or choose `runtime` onnxruntime");
  TRY_ASSIGN(const std::int64_t size, question_size(plan.folder));
  std::erase_if(plan.folder.manifest.graphs,
                [&](const GraphEntry& graph) { return graph.role == GraphRole::kVision && graph.extents.image_size != size; });
  TRY(check_export(plan.folder));
  TRY(plan_decoders(options, plan));
  const std::string vision = plan.folder.vision(size)->name, file = kFolder + vision + ".bin";
  plan.genie.push_back({.binary = file, .graphs = {vision}});
  TRY(plan_compile(plan, {.graph = vision, .binary = file, .coded_pixels = true}, file));
  TRY(plan_file(plan, kFloatTableFile, kFolder + clients::kGenieTable));
  for (const char* name : kPictureSettings)
    if (plan.folder.manifest.files.contains(name)) TRY(plan_file(plan, name, name));
  return {};
}

Status write_genie_files(const BundlePlan& plan, const Path& bundle) {
  const OutputFolder& from = plan.folder;
  const GraphEntry& vision = *from.manifest.find(GraphRole::kVision);
  clients::GenieFolder folder{.text = from.text(),
                              .eos_token_ids = from.manifest.prompt.stop_token_ids,
                              .vision_context = vision.name + ".bin",
                              .chip = *plan.chip.chip,
                              .prompt = from.manifest.prompt,
                              .picture = from.manifest.preprocessing.settings.at_size(static_cast<int>(vision.extents.image_size))};
  folder.share_weights = false;
  for (const BundleContext& context : plan.genie) {
    folder.share_weights = folder.share_weights || context.graphs.size() > 1;
    if (context.graphs.front() != vision.name) folder.decoder_contexts.push_back(context.binary.substr(kFolder.size()));
  }
  for (const GraphEntry& graph : from.manifest.graphs) {
    if (graph.role != GraphRole::kDecoder) continue;
    folder.decoders.push_back(graph);
    folder.context = graph.extents.context;
  }
  TRY_ASSIGN(folder.tokenizer, tokenizer_of(from));
  std::error_code failure;
  std::filesystem::create_directories(bundle / kFolder, failure);
  for (const auto& [name, text] : clients::genie_files(folder)) TRY(write_file_atomically(bundle / kFolder / name, text));
  return {};
}

Result<std::vector<std::int32_t>> genie_end_tokens(const OutputFolder& folder) {
  TRY_ASSIGN(const std::string tokenizer, text_in(folder, "tokenizer.json"));
  const auto ids = clients::end_tokens(folder.manifest.prompt.stop_token_ids, tokenizer);
  return std::vector<std::int32_t>(ids.begin(), ids.end());
}

Status write_coded_vision(const OutputFolder& folder, const std::string& graph, const ProbedFile& file) {
  const Path model = folder.path / std::ranges::find(folder.manifest.graphs, graph, &GraphEntry::name)->file;
  TRY_ASSIGN(const std::string bytes,
             with_coded_input(model, {.graph = file.name, .encoding = clients::genie_pixels(folder.manifest.preprocessing.settings)}));
  return write_changed(model, bytes, file);
}

}  // namespace fastvlm::device
