#include "fastvlm/datasheet/page_parts.h"

#include <algorithm>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/report/html.h"
#include "fastvlm/report/plot.h"

namespace fastvlm::datasheets {
namespace {

using Rows = std::vector<std::vector<std::string>>;
using report::escaped;
using report::heading;

constexpr double kCeiling = 150;  // dB; equal tensors have more

// ---- Pictures -----------------------------------------------------------------------------------------------------------

std::string answer_box(const SheetAnswer& answer) {
  const std::string who = answer.recipe.empty() ? answer.runner : fmt::format("{}, {}", answer.recipe, answer.runner);
  const bool failed = !answer.problem.empty();
  const std::string text = escaped(failed ? answer.problem : answer.text);
  return fmt::format("<div class=\"answer {}\"><b>{}</b>{}</div>\n",
                     failed                   ? "bad"
                     : answer.runner == "CPU" ? "first"
                                              : "other",
                     escaped(who), text.empty() ? "<i>nothing</i>" : text);
}

// ---- Accuracy -----------------------------------------------------------------------------------------------------------

const char* what_of(const LayerAccuracy& layers) { return layers.on_npu ? "NPU against CPU" : "CPU against the plain graphs"; }

std::vector<double> values_of(const LayerAccuracy& layers) {
  std::vector<double> values;
  for (const LayerRow& row : layers.rows) values.push_back(row.snr_db);
  return values;
}

std::string sqnr_text(const WeightAccuracy& weight) { return weight.sqnr_db ? fmt::format("{:.1f}", *weight.sqnr_db) : "-"; }

// One plot for each graph; what ran on the NPU is its second line.
std::string layer_plots(const std::vector<LayerAccuracy>& layers) {
  std::string plots;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    report::LinePlot plot{.title = layers[i].graph,
                          .x_name = layers[i].graph.starts_with("decoder") ? "layers, the norm and the logits" : "modules of the tower",
                          .y_name = fmt::format("SNR in dB (up to {:g})", kCeiling),
                          .series = {{what_of(layers[i]), values_of(layers[i])}},
                          .logarithmic = false,
                          .ceiling = kCeiling};
    if (i + 1 < layers.size() && layers[i + 1].graph == layers[i].graph) {
      ++i;
      plot.series.push_back({what_of(layers[i]), values_of(layers[i])});
    }
    plots += report::line_plot(plot);
  }
  return "<div class=\"plots\">\n" + plots + "</div>\n";
}

std::string layer_table(const LayerAccuracy& layers) {
  Rows rows = {{"", "module", "SNR dB"}};
  for (std::size_t i = 0; i < layers.rows.size(); ++i)
    rows.push_back({std::to_string(i + 1), layers.rows[i].module, fmt::format("{:.1f}", layers.rows[i].snr_db)});
  return report::folded(fmt::format("{}: {}", layers.graph, what_of(layers)), report::table(rows));
}

// Sizes before and after, the least exact weight; then all of them.
std::string weights_part(const std::vector<RecipeAccuracy>& recipes) {
  if (recipes.empty()) return "";
  Rows sizes = {{"graphs", "recipe", "half precision", "as stored", "share", "least exact weight", "SQNR dB"}};
  std::string tables;
  for (const RecipeAccuracy& recipe : recipes) {
    sizes.push_back(
        {recipe.graphs, recipe.recipe, human_bytes(recipe.half_bytes), human_bytes(recipe.bytes),
         fmt::format("{:.3f}", static_cast<double>(recipe.bytes) / static_cast<double>(std::max<std::uint64_t>(1, recipe.half_bytes))),
         recipe.weights.empty() ? "" : recipe.weights[0].name, recipe.weights.empty() ? "" : sqnr_text(recipe.weights[0])});
    Rows rows = {{"weight", "stored as", "size", "SQNR dB"}};
    for (const WeightAccuracy& weight : recipe.weights)
      rows.push_back({weight.name, weight.precision, human_bytes(weight.bytes), sqnr_text(weight)});
    tables += report::folded(fmt::format("Weights of {} {}, the least exact first", recipe.graphs, recipe.recipe), report::table(rows));
  }
  return report::paragraph("Weights that are stored as integers, against the numbers of the plain graphs.") + report::table(sizes) + tables;
}

std::string missed(const VerifyReport& report) {
  std::string body;
  for (const VerifyRow& row : report.rows)
    if (row.outcome == Outcome::kMissed)
      body += fmt::format("<p class=\"bad\">{}</p>\n", escaped(fmt::format("{} {}: {}", row.check, row.subject, row.sentence)));
  return body;
}

// ---- NPU ----------------------------------------------------------------------------------------------------------------

std::string graph_names(const ContextEntry& entry) {
  std::string names;
  for (const ContextEntry::Wrapped& graph : entry.graphs) names += (names.empty() ? "" : ", ") + graph.name;
  return names;
}

// The largest value of a key of the graphs in a context, as bytes; "" where none says so.
std::string most_bytes(const OrderedJson& facts, const char* key) {
  std::optional<std::uint64_t> most;
  if (facts.contains("graphs"))
    for (const OrderedJson& graph : facts["graphs"])
      if (graph.contains(key) && graph[key].is_number_unsigned()) most = std::max(most.value_or(0), graph[key].get<std::uint64_t>());
  return most ? human_bytes(*most) : "";
}

std::string context_table(const std::vector<ContextSheet>& contexts) {
  Rows rows = {{"chip", "context", "size", "graphs", "spill-fill", "VTCM", "compiled by"}};
  for (const ContextSheet& sheet : contexts) {
    rows.push_back({sheet.chip, sheet.entry.binary, human_bytes(sheet.entry.bytes), graph_names(sheet.entry),
                    most_bytes(sheet.facts, "spill_fill_bytes"), most_bytes(sheet.facts, "vtcm_bytes"),
                    sheet.facts.contains("build_id") ? "QAIRT " + sheet.facts["build_id"].get<std::string>() : ""});
    if (!sheet.problem.empty()) rows.back().back() = sheet.problem;
  }
  return report::table(rows);
}

std::string qnn_operators(const std::vector<ContextSheet>& contexts) {
  Rows rows = {{"chip", "graph", "ONNX nodes", "became on the NPU"}};
  for (const ContextSheet& sheet : contexts)
    if (sheet.facts.contains("qnn_graphs"))
      for (const OrderedJson& graph : sheet.facts["qnn_graphs"])
        rows.push_back({sheet.chip, graph["name"].get<std::string>(), graph["onnx_nodes"].dump(), counts_text(graph["operators"])});
  return rows.size() == 1 ? "" : report::table(rows);
}

}  // namespace

std::string answers_section(const Datasheet& sheet) {
  std::string body = heading("Pictures with answers");
  for (const SheetPicture& picture : sheet.pictures) {
    std::string boxes;
    for (const SheetAnswer& answer : picture.answers) boxes += answer_box(answer);
    body += fmt::format(
        "<div class=\"card\">\n<div>{}</div>\n<div><div class=\"prompt\">{}</div>\n<div class=\"answers\">\n{}</div>\n"
        "<div class=\"small\">{}</div></div>\n</div>\n",
        picture.picture, escaped(sheet.question), boxes, escaped(picture.name));
  }
  return body;
}

std::string accuracy_section(const Datasheet& sheet) {
  if (!sheet.verified) return "";
  std::string body = heading("Accuracy") + missed(*sheet.verified);
  if (!sheet.layers.empty()) {
    body += report::paragraph("The output of every module for the first picture and the question, as the ratio of signal to noise.");
    body += layer_plots(sheet.layers);
    for (const LayerAccuracy& layers : sheet.layers) body += layer_table(layers);
  }
  if (!sheet.layers_problem.empty()) body += report::paragraph(sheet.layers_problem);
  body += weights_part(sheet.weights);
  if (!sheet.weights_problem.empty()) body += report::paragraph(sheet.weights_problem);
  return body + report::folded(fmt::format("All {} gates", sheet.verified->rows.size()), report::table(to_table(*sheet.verified)));
}

std::string npu_section(const Datasheet& sheet) {
  if (sheet.contexts.empty()) return "";
  return heading("On the NPU") + context_table(sheet.contexts) + qnn_operators(sheet.contexts);
}

}  // namespace fastvlm::datasheets
