#include "fastvlm/clients/layout.h"

#include <algorithm>
#include <array>

#include "fastvlm/clients/genie.h"
#include "fastvlm/clients/npu_layout.h"
#include "fastvlm/clients/onnxruntime_genai.h"
#include "fastvlm/clients/transformers_js.h"
#include "fastvlm/rewrite/pipeline.h"

namespace fastvlm::clients {
namespace {

constexpr std::array kVariants = {
    Variant{.name = "fp32", .suffix = "", .dtype = Dtype::kFloat32},
    Variant{.name = "fp16", .suffix = "_fp16", .dtype = Dtype::kFloat16},
    Variant{.name = "q8", .suffix = "_quantized", .bits = 8},
    Variant{.name = "q4", .suffix = "_q4", .bits = 4},
};

constexpr std::array kLayouts = {
    Layout{.name = "transformers-js", .add = add_transformers_js, .has_variants = true},
    Layout{.name = "onnxruntime-genai", .add = add_onnxruntime_genai, .has_variants = true},
    Layout{.name = "genie", .add = add_genie, .has_contexts = true},
    Layout{.name = "npu", .add = add_npu_layout, .has_contexts = true},
};

template <class Row>
Result<std::vector<Row>> find_rows(const char* option, std::span<const Row> rows, const std::vector<std::string>& names) {
  std::vector<Row> found;
  for (const std::string& name : names) {
    const auto row = std::ranges::find(rows, name, [](const Row& r) { return std::string(r.name); });
    if (row == rows.end()) {
      std::string known;
      for (const Row& r : rows) known += (known.empty() ? "" : ", ") + std::string(r.name);
      return bad_option(option, "{}: not known; there are {}", name, known);
    }
    if (std::ranges::find(found, name, [](const Row& r) { return std::string(r.name); }) == found.end()) found.push_back(*row);
  }
  return found;
}

}  // namespace

std::span<const Variant> variants() { return kVariants; }
std::span<const Layout> layouts() { return kLayouts; }

Result<std::vector<Layout>> find_layouts(const std::vector<std::string>& names) { return find_rows("layouts", layouts(), names); }
Result<std::vector<Variant>> find_variants(const std::vector<std::string>& names) { return find_rows("variants", variants(), names); }

std::string data_file_beside(std::string_view graph_file) {
  return std::string(graph_file.substr(graph_file.find_last_of('/') + 1)) + "_data";
}

void LayoutFiles::add_graph(const std::string& file, std::unique_ptr<Graph> graph) { add_graph(file, std::move(graph), file); }

void LayoutFiles::add_graph(const std::string& file, std::unique_ptr<Graph> graph, const std::string& owner) {
  rewrite::run_passes(*graph);
  std::shared_ptr<DataLayout>& data = data_of[owner];
  if (data == nullptr) data = std::make_shared<DataLayout>();
  data->place_graph(*graph, data_file_beside(owner));
  graphs.push_back({.file = file, .graph = std::move(graph), .data = data});
}

bool LayoutFiles::has_graph(std::string_view file) const { return std::ranges::find(graphs, file, &LayoutGraph::file) != graphs.end(); }

}  // namespace fastvlm::clients
