#include "fastvlm/datasheet/page.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/version.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/datasheet/page_parts.h"
#include "fastvlm/report/html.h"

namespace fastvlm {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using report::escaped;
using report::heading;

std::string yes_no(bool value) { return value ? "yes" : "no"; }

std::string size_text(std::uint64_t bytes) { return fmt::format("{} ({} bytes)", human_bytes(bytes), bytes); }

// A row for each member of a flat object.
void add_members(const OrderedJson& object, Rows& rows) {
  for (const auto& [key, value] : object.items()) rows.push_back({key, plain_text(value)});
}

// ---- What it is ---------------------------------------------------------------------------------------------------------

std::string facts(const Datasheet& sheet) {
  const Manifest& m = sheet.folder.manifest;
  const TextConfig& t = m.model.text;
  const VisionFacts& v = m.model.vision;
  std::vector<std::string> chips;
  for (const TargetEntry& target : m.targets) chips.push_back(target.chip);
  Rows rows = {{"", ""}};
  rows.push_back({"model type", m.model.model_type});
  rows.push_back({"decoder", fmt::format("{} layers, hidden size {}, MLP {}, {} heads over {} key/value heads of {}, vocabulary {}{}",
                                         t.num_hidden_layers, t.hidden_size, t.intermediate_size, t.num_attention_heads,
                                         t.num_key_value_heads, t.head_dim, t.vocab_size, t.tie_word_embeddings ? ", head tied" : "")});
  rows.push_back({"tower", fmt::format("stages of {} blocks with {} channels, {} at the end", fmt::join(v.depths, ", "),
                                       fmt::join(v.channels, ", "), v.hidden_size)});
  rows.push_back(
      {"picture", fmt::format("{0} × {0} pixels become {1} tokens", m.preprocessing.settings.size, m.preprocessing.image_tokens)});
  rows.push_back({"plain graphs in", std::string(name(m.dtype))});
  if (!m.recipes().empty()) rows.push_back({"decoders for an NPU", fmt::format("{}", fmt::join(m.recipes(), ", "))});
  if (!chips.empty()) rows.push_back({"compiled for", fmt::format("{}", fmt::join(chips, ", "))});
  rows.push_back({"size", fmt::format("{} in {} files", size_text(sheet.bytes), m.files.size())});
  rows.push_back({"SHA-256 of the manifest", sheet.manifest_sha256});
  return report::table(rows);
}

std::string verdict(const Datasheet& sheet) {
  if (!sheet.verified) return report::paragraph("Not verified: accuracy was left out.");
  const VerifyReport& r = *sheet.verified;
  return fmt::format("<p class=\"{}\">{}</p>\n", r.passed() ? "good" : "bad",
                     escaped(fmt::format("verify: {} ok, {} missed, {} not compared", r.count(Outcome::kPassed), r.count(Outcome::kMissed),
                                         r.count(Outcome::kNotCompared))));
}

std::string findings(const Manifest& m) {
  if (m.findings.empty() && m.losses.empty()) return "";
  std::string body = heading("Findings about the checkpoint");
  for (const std::string& sentence : m.findings) body += report::paragraph(sentence);
  if (!m.losses.empty()) {
    Rows rows = {{"weight", "NaN or infinite", "became infinite", "became zero"}};
    for (const LossEntry& loss : m.losses)
      rows.push_back({loss.weight, std::to_string(loss.losses.not_finite), std::to_string(loss.losses.overflowed),
                      std::to_string(loss.losses.vanished)});
    body += report::table(rows);
  }
  return body;
}

// ---- Settings -----------------------------------------------------------------------------------------------------------

std::string settings(const Manifest& m) {
  Rows preprocessing = {{"preprocessing", ""}}, prompt = {{"prompt", ""}};
  add_members(to_json(m.preprocessing), preprocessing);
  add_members(to_json(m.prompt), prompt);
  Rows text = {{"decoder", ""}};
  text.push_back({"rope_theta", fmt::format("{:g}", m.model.text.rope_theta)});
  text.push_back({"rms_norm_eps", fmt::format("{:g}", m.model.text.rms_norm_eps)});
  text.push_back({"max_position_embeddings", std::to_string(m.model.text.max_position_embeddings)});
  text.push_back({"head tied to the embedding", yes_no(m.model.text.tie_word_embeddings)});
  return heading("Settings") + report::table(preprocessing) + report::table(prompt) + report::table(text);
}

std::string ranges(const Manifest& m) {
  if (m.range_scales.empty())
    return heading("Ranges") + report::paragraph("No stream of the static graphs was scaled to fit into half precision.");
  Rows rows = {{"stream", "largest value", "its size", "multiplied by", "modules"}};
  for (const RangeScale& scale : m.range_scales)
    rows.push_back({scale.name, scale.largest, fmt::format("{:.5g}", scale.absmax), fmt::format("2^-{}", scale.halvings),
                    std::to_string(scale.modules.size())});
  return heading("Ranges") + report::paragraph("Streams that came near to the largest number of half precision, and what was done.") +
         report::table(rows);
}

std::string gelus(const Manifest& m) {
  if (m.gelus.empty()) return "";
  std::map<std::string, int> counts;
  Rows rows = {{"GELU", "form", "why"}};
  for (const GeluEntry& gelu : m.gelus) {
    ++counts[gelu.form];
    rows.push_back({gelu.name, gelu.form, gelu.why});
  }
  std::vector<std::string> forms;
  for (const auto& [form, count] : counts) forms.push_back(fmt::format("{} {}", count, form));
  return report::folded(fmt::format("GELUs of tower and projector in floats: {}", fmt::join(forms, ", ")), report::table(rows));
}

// ---- Graphs and files ---------------------------------------------------------------------------------------------------

std::string weights_text(const GraphEntry& graph, Dtype plain) {
  if (graph.weight_bits > 0) return fmt::format("{} bit ({})", graph.weight_bits, graph.recipe());
  if (!graph.precision.empty()) return graph.precision;
  return std::string(name(plain));
}

std::string graphs(const Manifest& m) {
  Rows rows = {{"graph", "weights", "nodes", "MACs of a run", "operators"}};
  for (const GraphEntry& graph : m.graphs)
    rows.push_back({graph.file, weights_text(graph, m.dtype), std::to_string(graph.nodes), graph.macs > 0 ? std::to_string(graph.macs) : "",
                    counts_text(graph.operators)});
  return heading("Graphs") + report::table(rows);
}

std::string files(const Manifest& m) {
  Rows rows = {{"file", "bytes", "SHA-256", "made"}};
  for (const auto& [name, file] : m.files) rows.push_back({name, std::to_string(file.bytes), file.sha256, file.made});
  return heading("Files") + report::folded(fmt::format("{} files with sizes and hashes", m.files.size()), report::table(rows));
}

std::string versions(const Manifest& m) {
  Rows rows = {{"made with", ""}};
  add_members(to_json(m.versions), rows);
  rows.push_back({"this page", fmt::format("fastvlm-npu {}", kVersion)});
  return heading("Versions") + report::table(rows);
}

}  // namespace

std::string datasheet_page(const Datasheet& sheet) {
  const Manifest& m = sheet.folder.manifest;
  const std::string body = facts(sheet) + verdict(sheet) + findings(m) + datasheets::answers_section(sheet) +
                           datasheets::accuracy_section(sheet) + ranges(m) + gelus(m) + datasheets::npu_section(sheet) + graphs(m) +
                           settings(m) + files(m) + versions(m);
  return report::page("An exported FastVLM", body);
}

}  // namespace fastvlm
