#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/print_speed_bound.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/inspect/inspect.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {
namespace {

struct InspectArguments {
  Path path;
  bool tensors = false;  // every tensor, not only their number
  bool accuracy = false;
  bool hash = false;  // SHA-256 of large files too
};

void add_options(OptionTable& options, InspectArguments& a, CommonArguments& common) {
  options.path("path", a.path, "Folder or file").set_required();
  options.flag("--tensors", a.tensors, "List every tensor or range, or which NPU operators each node became");
  options.flag("--accuracy", a.accuracy, "Of an output folder: how exactly each weight is stored that is integers, the least exact first");
  options.flag("--hash", a.hash, "SHA-256 of files above 64 MiB too; check all hashes of an output folder");
  add_json(options, common);
  add_runtime_options(options, common);
}

// "text" or 12 or [1, 3] as people read it, on one line: the names are foreign.
std::string plain(const OrderedJson& value) {
  if (value.is_string()) return on_one_line(value.get<std::string>());
  if (value.is_array()) {
    std::string text;
    for (const auto& item : value) text += (text.empty() ? "" : ", ") + plain(item);
    return "[" + text + "]";
  }
  return value.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

std::string plain_at(const OrderedJson& object, const char* key) { return object.contains(key) ? plain(object[key]) : "-"; }

std::string bytes_text(const OrderedJson& value) {
  return value.is_number() ? fmt::format("{} ({} bytes)", human_bytes(value.get<std::uint64_t>()), grouped(value.get<std::uint64_t>()))
                           : plain(value);
}

// Some exporters keep whole vocabularies and class lists as metadata.
std::string shortened(const std::string& text) {
  constexpr std::size_t kShown = 160;
  if (text.size() <= kShown) return text;
  std::size_t end = kShown;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return fmt::format("{}… ({} bytes)", text.substr(0, end), grouped(text.size()));
}

std::string shown_counts(const OrderedJson& counts) { return on_one_line(counts_text(counts)); }

std::string pairs_text(const OrderedJson& object) {
  std::string text;
  for (const auto& [name, value] : object.items())
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", on_one_line(name), shortened(plain(value)));
  return text;
}

std::string totals_text(const OrderedJson& totals) {
  std::string text = fmt::format("{} with {} parameters, {}", plain(totals["count"]), grouped(totals["parameters"].get<std::uint64_t>()),
                                 human_bytes(totals["bytes"].get<std::uint64_t>()));
  if (totals.contains("types")) text += "; " + shown_counts(totals["types"]);
  if (totals.value("passed_over", 0) > 0) text += fmt::format("; {} passed over", plain(totals["passed_over"]));
  if (totals.contains("of_fastvlm")) text += fmt::format("; {} have names of FastVLM", plain(totals["of_fastvlm"]));
  return text;
}

void print_rows(const std::string& title, const OrderedJson& list, const std::vector<const char*>& keys) {
  if (list.empty()) return;
  Rows rows = {{keys.begin(), keys.end()}};
  for (const auto& item : list) {
    rows.emplace_back();
    for (const char* key : keys) rows.back().push_back(plain_at(item, key));
  }
  print_line("\n" + title);
  print_table(rows);
}

void print_sentences(const char* head, const OrderedJson& facts, const char* key) {
  if (!facts.contains(key)) return;
  for (const auto& sentence : facts[key]) print_line(fmt::format("{}: {}", head, plain(sentence)));
}

void print_model(const OrderedJson& model, Rows& rows) {
  const auto &text = model["text"], &vision = model["vision"];
  rows.push_back(
      {"decoder", fmt::format("{} layers, hidden size {}, MLP {}, {} heads over {} key/value heads of {}, vocabulary {}{}",
                              plain_at(text, "num_hidden_layers"), plain_at(text, "hidden_size"), plain_at(text, "intermediate_size"),
                              plain_at(text, "num_attention_heads"), plain_at(text, "num_key_value_heads"), plain_at(text, "head_dim"),
                              plain_at(text, "vocab_size"), text.value("tie_word_embeddings", false) ? ", head tied" : "")});
  rows.push_back({"tower", fmt::format("stages of {} blocks with {} channels, {} at the end{}", plain_at(vision, "depths"),
                                       plain_at(vision, "channels"), plain_at(vision, "hidden_size"),
                                       vision.value("training_form", false) ? ", in training form" : "")});
}

void print_adapter(const OrderedJson& adapter, Rows& rows) {
  const auto row = [&](const char* label, const char* key) {
    if (adapter.contains(key) && !adapter[key].empty()) rows.push_back({label, plain_at(adapter, key)});
  };
  row("base model", "base_model");
  rows.push_back({"update", fmt::format("r = {}, lora_alpha = {}{}", plain_at(adapter, "rank"), plain_at(adapter, "alpha"),
                                        adapter.value("rslora", false) ? ", rsLoRA" : "")});
  row("target modules", "target_modules");
  if (adapter.contains("adapted") && !adapter["adapted"].empty()) rows.push_back({"adapted", shown_counts(adapter["adapted"])});
  row("saved whole", "modules_to_save");
  row("replaced", "replaced");
}

void print_ranges(const OrderedJson& ranges, Rows& rows) {
  const auto number = [&](const char* key) { return grouped(ranges[key].get<std::uint64_t>()); };
  rows.push_back({"model", plain_at(ranges, "model")});
  rows.push_back({"seen with", fmt::format("{} pictures, {} prompts, {} tokens", number("pictures"), number("prompts"), number("tokens"))});
  if (ranges.contains("parts")) rows.push_back({"of all pictures", plain_at(ranges, "parts")});
  std::string values = number("values");
  if (ranges["values_with_channels"] != 0) values += fmt::format(", {} of them by channel", number("values_with_channels"));
  rows.push_back({"values", values});
}

void print_largest(const OrderedJson& ranges) {
  Rows rows = {{"name", "largest size", "min", "max", "rms", "numbers", "not finite"}};
  for (const auto& row : ranges["largest"]) {
    rows.push_back({plain_at(row, "name")});
    for (const char* key : {"absmax", "min", "max"}) rows.back().push_back(fmt::format("{:.5g}", row[key].get<double>()));
    rows.back().push_back(fmt::format("{:.5g}", std::sqrt(row["mean_square"].get<double>())));
    for (const char* key : {"count", "not_finite"}) rows.back().push_back(grouped(row[key].get<std::uint64_t>()));
  }
  if (rows.size() == 1) return;
  print_line(rows.size() - 1 == ranges["values"] ? "\nvalues" : "\nlargest values; --tensors lists all");
  print_table(rows);
}

// A row for each key that is there, in this order; everything else has a table or a sentence of its own.
struct Field {
  const char* key;
  const char* label;
  std::string (*text)(const OrderedJson&);
};
constexpr Field kFields[] = {
    {"bytes", "size", bytes_text},
    {"sha256", "SHA-256", plain},
    {"output_folder", "output folder", plain},
    {"made", "made", plain},
    {"layouts", "layouts", plain},
    {"variants", "variants", plain},
    {"contexts", "contexts", pairs_text},
    {"model_type", "model type", plain},
    {"versions", "versions", pairs_text},
    {"dtype", "weights as", plain},
    {"tensors", "tensors", totals_text},
    {"image_size", "image size", plain},
    {"preprocessing", "preprocessing", pairs_text},
    {"side_files", "side files", plain},
    {"metadata", "metadata", pairs_text},
    {"ir_version", "IR version", plain},
    {"opsets", "opsets", pairs_text},
    {"producer", "producer", plain},
    {"graph", "graph", plain},
    {"nodes", "nodes", plain},
    {"encodings_version", "version", plain},
    {"activation_encodings", "activations", counts_text},
    {"param_encodings", "weights", counts_text},
    {"encodings", "tensors", counts_text},
    {"inner_nodes", "inner nodes", plain},
    {"operators", "operators", counts_text},
    {"initializers", "initializers", totals_text},
    {"source", "made by", plain},
    {"sdk", "QNN build", plain},
    {"context_file", "context file", plain},
    {"context_bytes", "context size", bytes_text},
    {"backend", "backend", plain},
    {"build_id", "QNN build", plain},
    {"core_api", "core API", plain},
    {"context_blob_version", "blob version", plain},
    {"soc", "chip", plain},
    {"soc_model", "SoC model", plain},
    {"htp_arch", "HTP version", plain},
    {"max_spill_fill_bytes", "spill-fill", bytes_text},
};

// Blocks that became the same operators share a line.
void print_qnn_operators(const OrderedJson& graph, bool nodes) {
  print_line(fmt::format("\n{}: {} ONNX nodes became {}", plain_at(graph, "name"), plain_at(graph, "onnx_nodes"),
                         shown_counts(graph["operators"])));
  std::vector<std::pair<std::string, std::vector<std::string>>> kinds;  // operators -> blocks
  for (const auto& block : graph["blocks"]) {
    const std::string operators = shown_counts(block["operators"]);
    auto kind = std::ranges::find(kinds, operators, [](const auto& k) { return k.first; });
    if (kind == kinds.end()) kind = kinds.insert(kinds.end(), {operators, {}});
    kind->second.push_back(plain_at(block, "name"));
  }
  Rows rows = {{"block", "QNN operators"}};
  for (const auto& [operators, blocks] : kinds)
    rows.push_back({blocks.size() == 1 ? blocks[0] : fmt::format("{} and {} like it", blocks[0], blocks.size() - 1), operators});
  print_table(rows);
  if (nodes) print_rows("nodes", graph["nodes"], {"onnx", "qnn"});
}

void print_context_graphs(const OrderedJson& graphs) {
  for (const auto& graph : graphs) {
    print_line(fmt::format("\ngraph {}", plain_at(graph, "name")));
    Rows rows;
    for (const auto& [key, value] : graph.items())
      if (value.is_number()) rows.push_back({"  " + key, key.ends_with("bytes") ? bytes_text(value) : plain(value)});
    print_table(rows);
    for (const char* side : {"inputs", "outputs"}) print_rows(side, graph[side], {"name", "dtype", "shape", "quantization"});
  }
}

// The manifest comes from the disk: a field that is absent or strange shows as "-".
void print_compiled_targets(const OrderedJson& targets) {
  Rows rows = {{"compiled for", "context", "size", "graphs"}};
  for (const auto& [target, groups] : targets.items())
    for (const auto& group : groups) {
      std::string graphs;
      if (group.contains("graphs"))
        for (const auto& graph : group["graphs"]) graphs += (graphs.empty() ? "" : ", ") + plain_at(graph, "name");
      const bool sized = group.contains("bytes") && group["bytes"].is_number_unsigned();
      rows.push_back({target, plain_at(group, "binary"), sized ? human_bytes(group["bytes"].get<std::uint64_t>()) : "-", graphs});
    }
  print_line("");
  print_table(rows);
}

void print_output_tables(const OrderedJson& facts) {
  Rows rows = {{"graph", "weights", "inputs", "outputs", "nodes"}};
  for (const auto& graph : facts["graphs"]) {
    std::string sides[2];
    for (int i = 0; i < 2; ++i)
      for (const auto& value : graph[i == 0 ? "inputs" : "outputs"]) {
        if (sides[i].size() > 120 && !sides[i].ends_with("…")) sides[i] += ", …";
        if (!sides[i].ends_with("…"))
          sides[i] += fmt::format("{}{} {}", sides[i].empty() ? "" : ", ", plain_at(value, "name"), plain_at(value, "shape"));
      }
    rows.push_back({plain_at(graph, "file"), graph.contains("weight_bits") ? plain_at(graph, "weight_bits") + " bit" : "float", sides[0],
                    sides[1], plain_at(graph, "nodes")});
  }
  print_line("");
  print_table(rows);
  Rows files = {{"file", "size", "SHA-256", "made"}};
  for (const auto& file : facts["files"])
    files.push_back({plain_at(file, "name"), human_bytes(file["bytes"].get<std::uint64_t>()), plain_at(file, "sha256").substr(0, 16),
                     plain_at(file, "made")});
  print_line("");
  print_table(files);
  if (facts.contains("targets") && !facts["targets"].empty()) print_compiled_targets(facts["targets"]);
  for (const auto& problem : facts["problems"])
    print_line(fmt::format("problem: {} {}", plain_at(problem, "file"), plain_at(problem, "problem")));
  if (facts["problems"].empty())
    print_line(facts.value("hashes_checked", false) ? "\nevery file is as the manifest says"
                                                    : "\nevery file has the size in the manifest; --hash checks the content");
}

// The least exact of each recipe, or all.
void print_accuracy(const OrderedJson& accuracy, bool all) {
  constexpr std::size_t kShown = 10;
  for (const auto& recipe : accuracy) {
    const auto bytes = recipe["bytes"].get<std::uint64_t>(), half = recipe["half_bytes"].get<std::uint64_t>();
    const auto& weights = recipe["weights"];
    const std::size_t shown = all ? weights.size() : std::min(kShown, weights.size());
    print_line(fmt::format("\n{} {}: {} of {} in half precision ({:.3f}); {}", plain_at(recipe, "graphs"), plain_at(recipe, "recipe"),
                           human_bytes(bytes), human_bytes(half), static_cast<double>(bytes) / static_cast<double>(half),
                           shown < weights.size() ? fmt::format("the least exact of {} weights; --tensors lists all", weights.size())
                                                  : std::string("its weights")));
    Rows rows = {{"weight", "stored as", "size", "SQNR"}};
    for (std::size_t i = 0; i < shown; ++i)
      rows.push_back({plain_at(weights[i], "name"), plain_at(weights[i], "precision"),
                      human_bytes(weights[i]["bytes"].get<std::uint64_t>()),
                      weights[i]["sqnr_db"].is_number() ? fmt::format("{:.1f} dB", weights[i]["sqnr_db"].get<double>()) : "-"});
    print_table(rows);
  }
}

void print_facts(const OrderedJson& facts) {
  print_line(fmt::format("{}: {}", plain_at(facts, "path"), plain_at(facts, "kind")));
  Rows rows;
  for (const Field& field : kFields)
    if (facts.contains(field.key) && !facts[field.key].empty()) rows.push_back({field.label, field.text(facts[field.key])});
  if (facts.contains("model")) print_model(facts["model"], rows);
  if (facts.contains("adapter")) print_adapter(facts["adapter"], rows);
  if (facts.contains("ranges")) print_ranges(facts["ranges"], rows);
  print_table(rows);
  if (facts.contains("ranges")) print_largest(facts["ranges"]);
  const bool output_folder = facts["kind"] == "output folder";
  if (output_folder) print_output_tables(facts);
  if (facts.contains("weight_accuracy")) print_accuracy(facts["weight_accuracy"], facts.contains("tensor_list"));
  for (const char* side : {"inputs", "outputs"})
    if (facts.contains(side)) print_rows(side, facts[side], {"name", "type", "shape"});
  if (facts.contains("external_data"))
    print_rows("external data", facts["external_data"], {"location", "tensors", "bytes", "sha256", "problem"});
  if (facts.contains("files") && !output_folder) print_rows("files", facts["files"], {"name", "bytes", "sha256"});
  if (facts.contains("graphs") && !output_folder) print_context_graphs(facts["graphs"]);
  if (facts.contains("context")) print_context_graphs(facts["context"]["graphs"]);
  if (facts.contains("qnn_graphs"))
    for (const auto& graph : facts["qnn_graphs"]) print_qnn_operators(graph, graph.contains("nodes"));
  if (facts.contains("speed_bounds"))
    for (const auto& bound : facts["speed_bounds"]) print_speed_bound(bound);
  if (facts.contains("tensor_list")) print_rows("tensors", facts["tensor_list"], {"name", "type", "shape", "bytes", "file", "offset"});
  print_sentences("note", facts, "findings");
  if (facts.contains("context_note")) print_line("note: " + plain(facts["context_note"]));
  if (facts.contains("tensors")) print_sentences("belongs to no part of FastVLM", facts["tensors"], "unknown");
}

ExitCode run(const InspectArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(InspectReport report, inspect({.path = arguments.path,
                                            .tensors = arguments.tensors,
                                            .accuracy = arguments.accuracy,
                                            .hashes = arguments.hash,
                                            .program = own_executable(),
                                            .runtimes = common.runtimes}));
  if (report.problem) report.facts["problem"] = report.problem->message;
  if (common.json)
    print_json(report.facts);
  else
    print_facts(report.facts);
  return report.problem ? print_error(*report.problem) : 0;
}

}  // namespace

Verb inspect_verb(CommonArguments& common) {
  return make_verb<InspectArguments>(
      {.name = "inspect",
       .group = kProveGroup,
       .summary = "Show what a folder or file is and what it holds",
       .details =
           "Knows checkpoint and adapter folders, output folders, folders of layouts, ONNX, safetensors, QNN context files and ranges,\n"
           "by their content. Context files need the QNN plug-in (see doctor). An output folder is held against its manifest:\n"
           "exit code 1 when a file differs.",
       .examples = "  fastvlm-npu inspect FastVLM-0.5B\n"
                   "  fastvlm-npu inspect out/fastvlm_vision_encoder.onnx --json"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
