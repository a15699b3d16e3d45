// A layout is what one program of other people wants to find in a folder: its graphs, its names, its configs. One file each makes
// it from the prepared export; the table of layout.cc lists them.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/author/cached_graphs.h"
#include "fastvlm/export/export.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/data_layout.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::clients {

// In what numbers the graphs are written: "fp32".
struct Variant {
  const char* name;
  const char* suffix;  // of the file, before ".onnx"
  Dtype dtype = Dtype::kFloat32;
  int bits = 0;  // of the weights of linear layers and of the head, in blocks of 32; 0: as `dtype` says
};

std::span<const Variant> variants();

// A graph and its external data, which lies beside it as "<file>_data": browsers look for that name. A graph that no browser opens may
// name the data of another.
struct LayoutGraph {
  std::string file;  // below the folder: "onnx/embed_tokens.onnx"
  std::unique_ptr<Graph> graph;
  std::shared_ptr<DataLayout> data;
};

// Static graphs that the chip's compiler makes one context of. They are not in the folder themselves.
struct LayoutContext {
  std::string file;                  // below the folder: "genie/vision_256.bin"
  std::vector<const Graph*> graphs;  // of the prepared export, or of `LayoutFiles::made`
  bool wrapped = false;              // with the EPContext file of each graph beside it; the compiler then names the context
};

// A table as it lies in memory, without a header.
struct LayoutTable {
  std::string file;
  WeightPtr weight;
};

struct LayoutFiles {
  std::map<std::string, std::string> bytes;  // small files
  std::vector<LayoutGraph> graphs;
  std::map<std::string, std::shared_ptr<DataLayout>> data_of;  // by the graph that it lies beside
  std::vector<LayoutTable> tables;                             // float32
  std::vector<LayoutContext> contexts;
  std::vector<std::unique_ptr<Graph>> made;  // graphs of contexts that the export has not

  void add_graph(const std::string& file, std::unique_ptr<Graph> graph);
  // With its weights in the data file of the graph `owner` (in the same folder), which need not be there itself.
  void add_graph(const std::string& file, std::unique_ptr<Graph> graph, const std::string& owner);
  // Whether another layout has written this graph already.
  bool has_graph(std::string_view file) const;
};

struct LayoutInput {
  const PreparedExport& prepared;
  std::vector<Variant> variants;
  ChosenChip chip = {};       // of layouts with contexts; else nothing
  bool share_weights = true;  // graphs of one group share a context, where the chip can
};

struct Layout {
  const char* name;
  Status (*add)(const LayoutInput& input, LayoutFiles& files);
  bool has_contexts = false;  // made for a chip
  bool has_variants = false;  // written in the numbers that are asked for
};

std::span<const Layout> layouts();

// The rows with these names, each once; an Error that lists all names for a wrong one.
Result<std::vector<Layout>> find_layouts(const std::vector<std::string>& names);
Result<std::vector<Variant>> find_variants(const std::vector<std::string>& names);

// "vision_encoder.onnx_data" for "onnx/vision_encoder.onnx", relative to the graph.
std::string data_file_beside(std::string_view graph_file);

}  // namespace fastvlm::clients
