#include "fastvlm/clients/genie.h"

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/weights.h"
#include "fastvlm/clients/chip_layout.h"
#include "fastvlm/clients/genie_files.h"
#include "fastvlm/export/manifest_of.h"
#include "fastvlm/rewrite/pipeline.h"

namespace fastvlm::clients {
namespace {

// File names, relative to the folder.
std::vector<std::string> add_decoders(const LayoutInput& input, LayoutFiles& files) {
  std::vector<std::string> names;
  for (LayoutContext& context : decoder_contexts(input)) {
    names.push_back(context.file + ".bin");
    files.contexts.push_back({.file = kGenieFolder + names.back(), .graphs = std::move(context.graphs)});
  }
  return names;
}

std::string add_vision(const LayoutInput& input, std::int64_t size, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  NpuOptions options = *p.options.npu;
  options.scales = p.scales;
  const FixedPointPicture picture{.size = size, .pixels = genie_pixels(p.config.preprocessing.settings)};
  files.made.push_back(fixed_point_vision_graph(p.config, Weights(*p.checkpoint), options, *input.chip.target, picture));
  rewrite::run_passes(*files.made.back());
  const std::string name = fmt::format("vision_{}.bin", size);
  files.contexts.push_back({.file = kGenieFolder + name, .graphs = {files.made.back().get()}});
  return name;
}

}  // namespace

Status add_genie(const LayoutInput& input, LayoutFiles& files) {
  const PreparedExport& p = input.prepared;
  TRY(check_chip_layout(p, "genie"));
  const std::int64_t size = picture_size(p);
  GenieFolder folder{.text = p.config.text,
                     .context = p.options.npu->context,
                     .eos_token_ids = p.config.eos_token_ids,
                     .decoder_contexts = add_decoders(input, files),
                     .vision_context = add_vision(input, size, files),
                     .chip = *input.chip.chip,
                     .share_weights = input.share_weights,
                     .prompt = prompt_of(p),
                     .picture = p.config.preprocessing.settings.at_size(static_cast<int>(size))};
  TRY_ASSIGN(folder.tokenizer, tokenizer_files(p));
  for (const PreparedGraph& graph : p.graphs)
    if (graph.entry.role == GraphRole::kDecoder) folder.decoders.push_back(graph.entry);
  files.tables.push_back({.file = std::string(kGenieFolder) + kGenieTable, .weight = p.embedding});
  for (auto& [name, text] : genie_files(folder)) files.bytes[kGenieFolder + name] = text;
  return {};
}

}  // namespace fastvlm::clients
