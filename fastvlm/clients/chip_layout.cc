#include "fastvlm/clients/chip_layout.h"

#include <algorithm>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"

namespace fastvlm::clients {

Status check_chip_layout(const PreparedExport& p, const char* layout) {
  const NpuOptions& o = *p.options.npu;
  if (o.io_dtype != Dtype::kFloat32) return bad_option("io_dtype", "float16: the clients of the layout {} hand on float32", layout);
  if (o.integer_edges.others) return bad_option("io_dtype", "uint16: the clients of the layout {} hand on float32", layout);
  if (o.integer_edges.cache) return bad_option("kv_dtype", "the clients of the layout {} hand on float32", layout);
  if (o.image_sizes.size() > 1) return bad_option("image_sizes", "the layout {} has one picture size", layout);
  if (o.recipes.size() > 1) return bad_option("recipe", "the layout {} has one recipe; export another folder for the next", layout);
  if (!o.fused.empty()) return bad_option("fused", "the layout {} has no place for such graphs", layout);
  if (!o.prefill_logits) return bad_option("prefill_logits", "none: the layout {} takes the logits of a prompt from its graphs", layout);
  if (std::ranges::all_of(o.prefill, [](std::int64_t tokens) { return tokens <= 1; }))
    return bad_option("prefill", "1: the layout {} has a decoder for many tokens of a prompt beside that for one; choose more, such as 128",
                      layout);
  for (const PreparedGraph& graph : p.graphs)
    if (graph.entry.extents.parts > 1)
      return bad_option("part_limit_bytes", "the decoder would be cut into {} parts, the layout {} has one; raise it, or choose fewer bits",
                        graph.entry.extents.parts, layout);
  return {};
}

std::int64_t picture_size(const PreparedExport& p) {
  const auto& sizes = p.options.npu->image_sizes;
  return sizes.empty() ? p.image_size : sizes.front();
}

std::vector<std::int64_t> end_tokens(std::vector<std::int64_t> ids, const std::string& tokenizer_json) {
  const Json tokenizer = Json::parse(tokenizer_json);
  for (const Json& token : tokenizer.value("added_tokens", Json::array()))
    if (token.at("content") == "<|im_end|>" && std::ranges::find(ids, token.at("id").get<std::int64_t>()) == ids.end())
      ids.push_back(token.at("id").get<std::int64_t>());
  return ids;
}

std::vector<LayoutContext> decoder_contexts(const LayoutInput& input) {
  std::vector<LayoutContext> contexts;
  for (const PreparedGraph& graph : input.prepared.graphs) {
    if (graph.entry.role != GraphRole::kDecoder) continue;
    if (contexts.empty() || !input.share_weights)
      contexts.push_back({.file = input.share_weights ? graph.entry.group : graph.entry.name, .graphs = {}});
    contexts.back().graphs.push_back(graph.graph.get());
  }
  return contexts;
}

}  // namespace fastvlm::clients
