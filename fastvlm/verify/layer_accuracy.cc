#include "fastvlm/verify/layer_accuracy.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/tensor/compare.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

using Values = std::map<std::string, Tensor>;  // by module

constexpr const char* kPixels = "pixel_values";
constexpr const char* kFeatures = "image_features";
constexpr const char* kLogits = "logits";

// Streams that are scaled for half precision hold their numbers multiplied by 2^-halvings; the blocks of a stage add to its stream.
void undo_halvings(const Manifest& manifest, Values& values) {
  for (const RangeScale& scale : manifest.range_scales)
    for (const std::string& module : scale.modules)
      for (auto& [name, tensor] : values)
        if (name == module || name.starts_with(module + ".blocks."))
          for (float& value : tensor.floats()) value = std::ldexp(value, static_cast<int>(scale.halvings));
}

// Modules and the values that leave them in one graph.
using Probes = std::vector<std::pair<std::string, std::string>>;

// The stem, every block and every stage of the tower that this graph has; the last block of a stage is the stage.
Probes tower_probes(const OnnxModel& model, const VisionFacts& tower) {
  const std::vector<std::string> floats = float_values(model), modules = module_values(model);
  Probes probes;
  const auto add = [&](const std::string& module) {
    const auto value = module_output(model, module);
    if (value && std::ranges::find(floats, *value) != floats.end()) probes.emplace_back(module, *value);
  };
  add("model.vision_tower.stem");
  for (std::size_t stage = 0; stage < tower.depths.size(); ++stage) {
    const std::string name = fmt::format("model.vision_tower.stages.{}", stage);
    for (std::int64_t block = 0; block + 1 < tower.depths[stage]; ++block) add(fmt::format("{}.blocks.{}", name, block));
    if (std::ranges::find(modules, name) != modules.end()) probes.emplace_back(name, name);
  }
  return probes;
}

// Modules that are there on both sides with as many numbers, in the order of `names`.
std::vector<LayerRow> compared(const std::vector<std::string>& names, const Values& actual, const Values& expected) {
  std::vector<LayerRow> rows;
  for (const std::string& name : names) {
    const auto a = actual.find(name), e = expected.find(name);
    if (a == actual.end() || e == expected.end() || a->second.size() != e->second.size()) continue;
    rows.push_back({.module = name, .snr_db = compare(a->second.floats(), e->second.floats()).snr_db});
  }
  return rows;
}

Result<Values> run_values(Runner& runner, const std::vector<NamedTensor>& inputs, const std::vector<std::string>& names) {
  TRY(check_interrupt());
  TRY_ASSIGN(auto outputs, run_converted(runner, inputs, names));
  Values values;
  for (NamedTensor& output : outputs)
    if (output.tensor.dtype == Dtype::kFloat32) values.emplace(std::move(output.name), std::move(output.tensor));
  return values;
}

class Layers {
 public:
  Layers(const OutputFolder& folder, const LayerOptions& options) : f_(folder), o_(options) {}

  Result<std::vector<LayerAccuracy>> measure() {
    if (std::ranges::none_of(f_.manifest.graphs, &GraphEntry::npu)) return std::move(found_);
    TRY(measure_tower());
    const std::vector<std::string> recipes = f_.manifest.recipes();
    if (f_.manifest.find(GraphRole::kDecoder) == nullptr) return std::move(found_);
    TRY(run_plain_decoder());
    for (const std::string& recipe : recipes) TRY(measure_decoder(recipe));
    return std::move(found_);
  }

 private:
  // ---- Tower ----
  // Opens with these values as outputs, runs, and names the values as their modules.
  Result<Values> run_tower(Runner& runner, const Probes& probes, std::string last) const {
    std::vector<std::string> wanted;
    for (const auto& [module, value] : probes) wanted.push_back(value);
    wanted.push_back(std::move(last));
    TRY_ASSIGN(Values values, run_values(runner, {{kPixels, o_.pixel_values}}, wanted));
    for (const auto& [module, value] : probes) {
      if (auto entry = values.extract(value); !entry.empty()) {
        entry.key() = module;
        values.insert(std::move(entry));
      }
    }
    return values;
  }

  static std::vector<std::string> values_of(const Probes& probes) {
    std::vector<std::string> names;
    for (const auto& [module, value] : probes) names.push_back(value);
    return names;
  }

  // The plain encoder at the size of the picture.
  Result<Values> run_plain_encoder(const Probes& probes) const {
    const Path path = f_.path / f_.plain(GraphRole::kVisionEncoder).file;
    const std::vector<std::string> names = values_of(probes);
    const auto probed = [&](const Path& model) { return open_probed(model, names, o_.open_cpu); };
    TRY_ASSIGN(auto runner, size() == f_.image_size() ? probed(path) : open_at_picture_size(path, size(), probed));
    return run_tower(*runner, probes, kFeatures);
  }

  Result<Values> run_static_tower(const GraphEntry& graph, const Probes& probes, const OpenGraph& open) const {
    TRY_ASSIGN(auto runner, open_probed(f_.path / graph.file, values_of(probes), open));
    TRY_ASSIGN(Values values, run_tower(*runner, probes, kFeatures));
    undo_halvings(f_.manifest, values);
    return values;
  }

  Status measure_tower() {
    const GraphEntry* graph = f_.vision(size());
    Probes plain, made;
    std::vector<std::string> modules;
    if (graph != nullptr) {
      TRY_ASSIGN(const OnnxModel plain_model, read_onnx(f_.path / f_.plain(GraphRole::kVisionEncoder).file));
      TRY_ASSIGN(const OnnxModel static_model, read_onnx(f_.path / graph->file));
      plain = tower_probes(plain_model, f_.manifest.model.vision);
      made = tower_probes(static_model, f_.manifest.model.vision);
      for (const auto& [module, value] : plain) modules.push_back(module);
    }
    TRY_ASSIGN(Values expected, run_plain_encoder(plain));
    features_ = std::move(expected.at(kFeatures));
    if (graph == nullptr) return {};
    TRY_ASSIGN(const Values actual, run_static_tower(*graph, made, o_.open_cpu));
    found_.push_back({.graph = graph->name, .rows = compared(modules, actual, expected)});
    if (o_.open_npu == nullptr) return {};
    TRY_ASSIGN(const Values there, run_static_tower(*graph, made, o_.open_npu));
    modules.emplace_back(kFeatures);
    found_.push_back({.graph = graph->name, .on_npu = true, .rows = compared(modules, there, actual)});
    return {};
  }

  // ---- Decoder ----
  std::vector<std::string> layer_names() const {
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < f_.text().num_hidden_layers; ++i) names.push_back(fmt::format("model.layers.{}", i));
    names.emplace_back("model.norm");
    return names;
  }

  // The picture first, then the text, as the plain graph has it.
  Status run_plain_decoder() {
    std::int64_t context = INT64_MAX;
    for (const GraphEntry& graph : f_.manifest.graphs)
      if (graph.role == GraphRole::kDecoder) context = std::min(context, graph.extents.context);
    const std::int64_t text = std::min(static_cast<std::int64_t>(o_.text_ids.size()), std::max<std::int64_t>(1, context / 2)),
                       tokens = features_.shape[1], vision = std::min(tokens, context - text);
    const std::vector<std::int64_t> ids(o_.text_ids.begin(), o_.text_ids.begin() + text);
    const Tensor rows = slice_rows(reshaped(std::move(features_), {tokens, f_.vision_width()}), 0, vision);

    const Path path = f_.path / f_.plain(GraphRole::kDecoderWithProjection).file;
    TRY_ASSIGN(const OnnxModel model, read_onnx(path, {.infer_shapes = false}));
    TRY_ASSIGN(const std::string projected, projected_value(model, path));
    const std::vector<std::string> layers = layer_names(), there = module_values(model);
    std::vector<std::string> probes = {projected};
    for (const std::string& name : layers)
      if (std::ranges::find(there, name) != there.end()) probes.push_back(name);
    TRY_ASSIGN(auto runner, open_probed(path, probes, o_.open_cpu));
    probes.emplace_back(kLogits);
    TRY_ASSIGN(plain_, run_values(*runner,
                                  {{"vision_features", reshaped(rows, {1, vision, f_.vision_width()})},
                                   {"input_ids", Tensor::of_int64({1, text}, ids)}},
                                  probes));
    TRY_ASSIGN(const EmbeddingTable table, EmbeddingTable::open(f_));
    TRY_ASSIGN(Tensor words, table.gather(ids));
    const Tensor parts[] = {reshaped(std::move(plain_.at(projected)), {vision, f_.text().hidden_size}), std::move(words)};
    prompt_ = stack_rows(parts);
    return {};
  }

  Result<Values> run_decoder(const OutputFolder& folder, const OpenGraph& open) {
    TRY(check_interrupt());
    TRY_ASSIGN(DecoderSession session, open_decoder_session(folder, with_layer_probes(open, f_.text().num_hidden_layers), true));
    Values values;
    if (session.prefill_has_logits()) {
      TRY_ASSIGN(const std::vector<float> logits, session.prefill_all(prompt_.floats()));
      values.emplace(kLogits, Tensor::of_floats({prompt_.shape[0], session.vocab_size()}, logits));
    } else {
      TRY_ASSIGN(const std::vector<float> last, session.prefill(prompt_.floats()));
    }
    for (const std::string& name : layer_names())
      if (auto hidden = session.hidden(name); hidden.ok()) values.emplace(name, std::move(*hidden));
    return values;
  }

  Status measure_decoder(const std::string& recipe) {
    TRY_ASSIGN(const OutputFolder one, with_recipe(f_, recipe));
    if (one.manifest.find(GraphRole::kDecoder) == nullptr) return {};
    std::vector<std::string> names = layer_names();
    names.emplace_back(kLogits);
    TRY_ASSIGN(const Values actual, run_decoder(one, o_.open_cpu));
    const std::string subject = "decoder " + recipe;
    found_.push_back({.graph = subject, .rows = compared(names, actual, plain_)});
    if (o_.open_npu == nullptr) return {};
    TRY_ASSIGN(const Values there, run_decoder(one, o_.open_npu));
    found_.push_back({.graph = subject, .on_npu = true, .rows = compared(names, there, actual)});
    return {};
  }

  std::int64_t size() const { return o_.pixel_values.shape.back(); }

  const OutputFolder& f_;
  const LayerOptions& o_;
  std::vector<LayerAccuracy> found_;
  Tensor features_;  // of the plain encoder [1, N, width]
  Values plain_;     // of the plain decoder
  Tensor prompt_;    // what the static decoder is fed [tokens, hidden_size]
};

}  // namespace

std::int64_t layer_picture_size(const OutputFolder& folder) {
  if (folder.vision(folder.image_size()) != nullptr) return folder.image_size();
  std::int64_t largest = 0;
  for (const GraphEntry& graph : folder.manifest.graphs)
    if (graph.role == GraphRole::kVision) largest = std::max(largest, graph.extents.image_size);
  return largest == 0 ? folder.image_size() : largest;
}

Result<std::vector<LayerAccuracy>> measure_layers(const OutputFolder& folder, const LayerOptions& options) {
  return Layers(folder, options).measure();
}

}  // namespace fastvlm
