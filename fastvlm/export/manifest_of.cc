#include "fastvlm/export/manifest_of.h"

#include <algorithm>
#include <cstdint>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/version.h"
#include "fastvlm/bundle/made_from.h"
#include "fastvlm/export/embedding_uint16.h"
#include "fastvlm/export/gelu_forms.h"
#include "fastvlm/quant/ranges.h"
#include "fastvlm/quant/recipe.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kOpset = 17;
constexpr std::int64_t kIrVersion = 8;

void add_weights(const DataLayout& data, bool npu, std::vector<WeightEntry>& rows) {
  for (const PlacedWeight& placed : data.weights())
    rows.push_back({.name = placed.name,
                    .file = npu ? npu_file(placed.place.file) : placed.place.file,
                    .offset = placed.place.offset,
                    .bytes = placed.place.bytes,
                    .type = placed.dtype,
                    .shape = placed.weight->shape(),
                    .from = placed.weight->from(),
                    .done = placed.weight->done()});
}

// As a manifest that was read and written again has it: keys sorted.
std::string recipe_json(const Recipe& recipe) { return Json::parse(recipe_text(recipe)).dump(); }

StaticGraphsMade static_graphs_made(const ExportOptions& o) {
  StaticGraphsMade made{.targets = o.npu->targets,
                        .prefill_logits = o.npu->prefill_logits,
                        .integer_edges = o.npu->integer_edges,
                        .part_limit_bytes = std::min<std::uint64_t>(o.npu->part_limit_bytes, INT64_MAX),  // JSON's integers end there
                        .gelu = std::string(name(o.gelu)),
                        .encodings = o.encodings ? std::string(name(*o.encodings)) : "",
                        .recipes = {},
                        .vision_recipe = recipe_json(o.npu->vision_recipe),
                        .ranges = std::nullopt};
  for (const Recipe& recipe : o.npu->recipes) made.recipes.push_back(recipe_json(recipe));
  if (o.ranges)
    made.ranges = RangesUsed{.sha256 = sha256_of(ranges_text(o.ranges->ranges)),
                             .share = o.ranges->share,
                             .built_in = o.ranges->source != RangeOptions::Source::kMeasured};
  return made;
}

Preprocessing preprocessing_of(const PreparedExport& p) {
  const std::int64_t side = p.image_size / kVisionStride;
  return {.settings = p.config.preprocessing.settings.at_size(static_cast<int>(p.image_size)), .image_tokens = side * side};
}

}  // namespace

PromptContract prompt_of(const PreparedExport& p) {
  PromptContract prompt{.before_image = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n",
                        .after_image = "\n{question}<|im_end|>\n<|im_start|>assistant\n",
                        .splice = "the projected image vectors stand in the middle of the prompt, at the place of the image",
                        .image_token_id = p.config.image_token_id};
  prompt.stop_token_ids = p.config.eos_token_ids;
  return prompt;
}

std::vector<RangeScale> range_scales(const ops::ScalePlan& plan) {
  std::vector<RangeScale> scales;
  for (const ops::ScaledStream& stream : plan.streams)
    scales.push_back(
        {.name = stream.name, .largest = stream.largest, .absmax = stream.absmax, .halvings = stream.halvings, .modules = stream.modules});
  return scales;
}

std::vector<GeluEntry> gelu_entries(const std::vector<ops::ChosenGelu>& gelus) {
  std::vector<GeluEntry> entries;
  for (const ops::ChosenGelu& gelu : gelus)
    entries.push_back({.name = gelu.name, .form = std::string(ops::name(gelu.form)), .why = gelu.why});
  return entries;
}

Manifest manifest_of(const PreparedExport& p, const WrittenFacts& written) {
  Manifest manifest{
      .versions = {.fastvlm_npu = kVersion, .onnx_opset = kOpset, .onnx_ir = kIrVersion},
      .dtype = p.options.dtype,
      .model = model_facts(p.config, p.checkpoint->model_type()),
      .preprocessing = preprocessing_of(p),
      .prompt = prompt_of(p),
      .embedding_int8 = {.file = kInt8TableFile, .scale = written.int8.scale, .sqnr_db = written.int8.sqnr_db},
      .embedding_uint16 = written.coded_tables,
      .findings = p.findings,
      .range_scales = range_scales(p.scales),
      .gelus = gelu_entries(p.gelus),
      .files = written.files,
  };
  MadeFrom made{.model = written.model, .npu = std::nullopt};
  if (p.options.npu) made.npu = static_graphs_made(p.options);
  set_made_from(made, manifest);
  for (const PreparedGraph& graph : p.graphs) manifest.graphs.push_back(graph.entry);
  for (const auto& [weight, losses] : written.losses) manifest.losses.push_back({weight, losses});
  add_weights(p.data, /*npu=*/false, manifest.weights);
  add_weights(p.npu_data, /*npu=*/true, manifest.weights);
  return manifest;
}

std::uint64_t planned_manifest_bytes(const PreparedExport& p, const std::vector<PlannedFile>& files) {
  WrittenFacts facts{.model = std::string(64, '0')};
  facts.int8 = {.scale = 1, .sqnr_db = 1};
  facts.coded_tables = coded_tables(p.graphs);
  for (const PlannedFile& file : files) facts.files[file.name] = {.bytes = file.bytes, .sha256 = std::string(64, '0'), .made = file.made};
  return manifest_text(manifest_of(p, facts)).size();
}

}  // namespace fastvlm
