#include "fastvlm/onnx/cached_decoder.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <variant>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/attribute.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

constexpr const char* kVision = "vision_features";
constexpr const char* kIds = "input_ids";
constexpr const char* kLastNorm = "model.norm";  // the value
constexpr const char* kLogits = "logits";

using NodeList = std::vector<onnx::NodeProto>;
// An axis of an input or output: its extent, or its name.
using Axis = std::variant<std::int64_t, std::string>;

onnx::NodeProto node_of(const char* op, std::vector<std::string> inputs, const std::string& output) {
  onnx::NodeProto node;
  node.set_op_type(op);
  node.set_name(output);
  for (std::string& input : inputs) node.add_input(std::move(input));
  node.add_output(output);
  return node;
}

// ---- The graph while it is changed ----------------------------------------------------------------------------------------

class Changed {
 public:
  explicit Changed(onnx::ModelProto& model)
      : model_(model), graph_(*model.mutable_graph()), nodes_(graph_.node().begin(), graph_.node().end()) {
    graph_.clear_input();
    graph_.clear_output();
    graph_.clear_value_info();
  }

  NodeList& nodes() { return nodes_; }

  void add_input(const std::string& name, Dtype dtype, const std::vector<Axis>& axes) { describe(*graph_.add_input(), name, dtype, axes); }
  void add_output(const std::string& name, Dtype dtype, const std::vector<Axis>& axes) {
    describe(*graph_.add_output(), name, dtype, axes);
  }

  std::string constant(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::TensorProto& constant = *graph_.add_initializer();
    constant.set_name(name);
    constant.set_data_type(onnx::TensorProto::INT64);
    constant.add_dims(static_cast<std::int64_t>(values.size()));
    for (const std::int64_t value : values) constant.add_int64_data(value);
    return name;
  }

  // With the nodes and constants that the outputs need.
  Result<std::string> finish(const std::string& what) {
    std::set<std::string> needed;
    for (const auto& output : graph_.output()) needed.insert(output.name());
    NodeList kept;
    for (auto node = nodes_.rbegin(); node != nodes_.rend(); ++node) {
      if (std::ranges::none_of(node->output(), [&](const std::string& output) { return needed.contains(output); })) continue;
      needed.insert(node->input().begin(), node->input().end());
      kept.push_back(std::move(*node));
    }
    graph_.clear_node();
    for (auto node = kept.rbegin(); node != kept.rend(); ++node) *graph_.add_node() = std::move(*node);
    keep_constants(graph_, needed);
    return written_again(model_, what);
  }

 private:
  static void describe(onnx::ValueInfoProto& value, const std::string& name, Dtype dtype, const std::vector<Axis>& axes) {
    value.set_name(name);
    auto& tensor = *value.mutable_type()->mutable_tensor_type();
    tensor.set_elem_type(facts(dtype).onnx);
    auto& shape = *tensor.mutable_shape();
    for (const Axis& axis : axes) {
      auto& dim = *shape.add_dim();
      if (const auto* extent = std::get_if<std::int64_t>(&axis)) dim.set_dim_value(*extent);
      if (const auto* symbol = std::get_if<std::string>(&axis)) dim.set_dim_param(*symbol);
    }
  }

  onnx::ModelProto& model_;
  onnx::GraphProto& graph_;
  NodeList nodes_;
};

// ---- What is where --------------------------------------------------------------------------------------------------------

struct Layer {
  std::size_t scores = 0;  // the node that multiplies queries and keys
  std::size_t mixed = 0;   // the one that multiplies weights and values
};
struct Places {
  std::string joined;  // the text behind the picture
  std::string cos, sin, mask;
  std::vector<Layer> layers;
};

class Finder {
 public:
  explicit Finder(const NodeList& nodes) : nodes_(nodes) {
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (const std::string& output : nodes[i].output()) makers_[output] = i;
      for (const std::string& input : nodes[i].input()) takers_[input].push_back(i);
    }
  }

  // The first node that hangs on the picture and on the text.
  const onnx::NodeProto* join(std::size_t& index) const {
    std::map<std::string, int> from = {{kVision, 1}, {kIds, 2}};
    for (index = 0; index < nodes_.size(); ++index) {
      int both = 0;
      for (const std::string& input : nodes_[index].input())
        if (const auto found = from.find(input); found != from.end()) both |= found->second;
      if (both == 3) return &nodes_[index];
      if (both != 0)
        for (const std::string& output : nodes_[index].output()) from[output] = both;
    }
    return nullptr;
  }

  // The angles' cosine or sine, in the type of the arithmetic; empty where there is not one such node.
  std::string angles(std::string_view op) const {
    std::string found;
    for (const auto& node : nodes_) {
      if (node.op_type() != op) continue;
      if (!found.empty()) return {};
      found = node.output(0);
    }
    const auto takers = takers_.find(found);
    const bool is_cast = takers != takers_.end() && takers->second.size() == 1 && nodes_[takers->second[0]].op_type() == "Cast";
    return is_cast ? nodes_[takers->second[0]].output(0) : found;
  }

  // Softmax(queries x keys + mask) x values.
  bool add_layer(std::size_t softmax, Places& places) const {
    const std::size_t* sum = maker(nodes_[softmax].input(0), "Add");
    const auto takers = takers_.find(nodes_[softmax].output(0));
    if (sum == nullptr || takers == takers_.end() || takers->second.size() != 1) return false;
    const std::size_t* scores = maker(nodes_[*sum].input(0), "MatMul");
    const std::size_t mixed = takers->second[0];
    if (scores == nullptr || nodes_[mixed].op_type() != "MatMul" || nodes_[mixed].input(0) != nodes_[softmax].output(0)) return false;
    if (places.mask.empty()) places.mask = nodes_[*sum].input(1);
    places.layers.push_back({.scores = *scores, .mixed = mixed});
    return places.mask == nodes_[*sum].input(1);
  }

  // The node that makes the value, when it is this operator; or nullptr.
  const std::size_t* maker(const std::string& value, std::string_view op) const {
    const auto found = makers_.find(value);
    return found == makers_.end() || nodes_[found->second].op_type() != op ? nullptr : &found->second;
  }
  // The first of this operator that takes what the node makes; nullptr for none, and for nullptr.
  const std::size_t* taker(const std::size_t* node, std::string_view op) const {
    const auto found = node == nullptr ? takers_.end() : takers_.find(nodes_[*node].output(0));
    if (found == takers_.end()) return nullptr;
    const auto taker = std::ranges::find_if(found->second, [&](std::size_t i) { return nodes_[i].op_type() == op; });
    return taker == found->second.end() ? nullptr : &*taker;
  }

 private:
  const NodeList& nodes_;
  std::map<std::string, std::size_t> makers_;
  std::map<std::string, std::vector<std::size_t>> takers_;
};

Result<std::size_t> find_join(const NodeList& nodes, const std::string& what) {
  std::size_t index = 0;
  const onnx::NodeProto* join = Finder(nodes).join(index);
  if (join == nullptr || join->op_type() != "Concat" || join->input_size() != 2)
    return bad_input("{}: does not put \"{}\" behind \"{}\", so it is no decoder of an export; export again", what, kIds, kVision);
  return index;
}

Result<Places> find_places(const NodeList& nodes, const std::string& what) {
  Places places;
  TRY_ASSIGN(const std::size_t join, find_join(nodes, what));
  places.joined = nodes[join].output(0);
  const Finder finder(nodes);
  places.cos = finder.angles("Cos"), places.sin = finder.angles("Sin");
  bool known = !places.cos.empty() && !places.sin.empty();
  bool norm = false;
  for (std::size_t i = 0; i < nodes.size() && known; ++i) {
    if (nodes[i].op_type() == "Softmax") known = finder.add_layer(i, places);
    norm = norm || std::ranges::find(nodes[i].output(), kLastNorm) != nodes[i].output().end();
  }
  if (!known || !norm || places.layers.empty())
    return bad_input("{}: its attention cannot be given a cache, so it is no decoder of an export; export again", what);
  return places;
}

// ---- The changes ----------------------------------------------------------------------------------------------------------

// Slots of the cache come before the new ones, along `axis` of the four that they have outside; within, the batch stands before them.
struct CacheEntry {
  std::string input, output;
  std::int64_t axis = 0;
};
void add_cache(const CacheEntry& entry, onnx::NodeProto& product, NodeList& before) {
  const std::string fresh = product.input(1), past = entry.input + "/Unsqueeze", all = entry.input + "/Concat";
  before.push_back(node_of("Squeeze", {fresh, "first_axis"}, entry.output));
  before.push_back(node_of("Unsqueeze", {entry.input, "first_axis"}, past));
  onnx::NodeProto concat = node_of("Concat", {past, fresh}, all);
  add_attribute(concat, "axis", entry.axis + 1);
  before.push_back(std::move(concat));
  product.set_input(1, all);
}

void replace_uses(NodeList& nodes, const std::string& value, const std::string& by) {
  for (onnx::NodeProto& node : nodes)
    for (std::string& input : *node.mutable_input())
      if (input == value) input = by;
}

// What is given instead of what the graph computed itself.
void add_positions(Changed& graph, const Places& places, const CachedDecoderExtents& e) {
  NodeList& nodes = graph.nodes();
  graph.add_input("inputs_embeds", e.dtype, {std::int64_t{1}, "rows", e.hidden_size});
  graph.add_input("attention_mask", e.dtype, {std::int64_t{1}, std::int64_t{1}, "rows", "slots"});
  replace_uses(nodes, places.joined, "inputs_embeds");
  replace_uses(nodes, places.mask, "attention_mask");
  NodeList first;
  for (const auto& [input, value] : {std::pair("position_ids_cos", places.cos), std::pair("position_ids_sin", places.sin)}) {
    graph.add_input(input, e.dtype, {std::int64_t{1}, std::int64_t{1}, "rows", e.head_dim / 2});
    const std::string rows = std::string(input) + "/Squeeze";
    replace_uses(nodes, value, rows);
    first.push_back(node_of("Squeeze", {input, "two_axes"}, rows));
  }
  nodes.insert(nodes.begin(), first.begin(), first.end());
}

void add_caches(Changed& graph, const Places& places, const CachedDecoderExtents& e) {
  std::map<std::size_t, NodeList> before;
  for (std::size_t i = 0; i < places.layers.size(); ++i) {
    for (const bool key : {true, false}) {
      const std::string name = fmt::format("past_{}_{}", key ? "key" : "value", i);
      const std::size_t product = key ? places.layers[i].scores : places.layers[i].mixed;
      auto shape = [&](const char* slots) -> std::vector<Axis> {
        if (key) return {e.key_value_heads, std::int64_t{1}, e.head_dim, slots};
        return {e.key_value_heads, std::int64_t{1}, slots, e.head_dim};
      };
      graph.add_input(name + "_in", e.dtype, shape("past_slots"));
      graph.add_output(name + "_out", e.dtype, shape("rows"));
      add_cache({.input = name + "_in", .output = name + "_out", .axis = key ? 3 : 2}, graph.nodes()[product], before[product]);
    }
  }
  NodeList all;
  for (std::size_t i = 0; i < graph.nodes().size(); ++i) {
    if (const auto found = before.find(i); found != before.end()) std::ranges::move(found->second, std::back_inserter(all));
    all.push_back(std::move(graph.nodes()[i]));
  }
  graph.nodes() = std::move(all);
}

// Only the last row goes on behind the last norm.
void keep_last_row(Changed& graph) {
  NodeList& nodes = graph.nodes();
  const std::string last = std::string(kLastNorm) + "/Slice";
  graph.constant("last_row", {-1});
  graph.constant("all_rows", {std::numeric_limits<std::int64_t>::max()});
  graph.constant("row_axis", {1});
  replace_uses(nodes, kLastNorm, last);
  const auto maker = std::ranges::find_if(nodes, [](const auto& node) { return node.output(0) == kLastNorm; });
  nodes.insert(maker + 1, node_of("Slice", {kLastNorm, "last_row", "all_rows", "row_axis"}, last));
}

// x / sqrt(mean(x * x) + epsilon) * weight, where `mean` is its ReduceMean, becomes one node in the place of the last.
void join_rms_norm(NodeList& nodes, std::size_t mean, const Finder& finder, const OnnxIndex& given) {
  const std::size_t *square = finder.maker(nodes[mean].input(0), "Mul"), *sum = finder.taker(&mean, "Add");
  const std::size_t *quotient = finder.taker(finder.taker(sum, "Sqrt"), "Div"), *product = finder.taker(quotient, "Mul");
  if (square == nullptr || product == nullptr) return;
  const std::string x = nodes[*square].input(0), unit = nodes[*quotient].output(0);
  const std::optional<double> epsilon = given.scalar(nodes[*sum].input(1));
  if (!epsilon || nodes[*square].input(1) != x || nodes[*quotient].input(0) != x) return;
  const std::string weight = nodes[*product].input(nodes[*product].input(0) == unit ? 1 : 0);
  nodes[*product] = node_of("SimplifiedLayerNormalization", {x, weight}, nodes[*product].output(0));
  add_attribute(nodes[*product], "axis", std::int64_t{-1});
  add_attribute(nodes[*product], "epsilon", static_cast<float>(*epsilon));
}

// A tied head is the table times the row stood on end; any other head stays.
void make_tied_head_a_gemm(Changed& graph, std::int64_t hidden_size, const Finder& finder) {
  NodeList& nodes = graph.nodes();
  const std::size_t* laid = finder.maker(kLogits, "Transpose");
  const std::size_t* product = laid == nullptr ? nullptr : finder.maker(nodes[*laid].input(0), "MatMul");
  const std::size_t* stood = product == nullptr ? nullptr : finder.maker(nodes[*product].input(1), "Transpose");
  if (stood == nullptr) return;
  graph.constant("one_row", {1, hidden_size});
  const std::string row = std::string(kLogits) + "/Reshape", flat = std::string(kLogits) + "/Gemm", table = nodes[*product].input(0);
  nodes[*stood] = node_of("Reshape", {nodes[*stood].input(0), "one_row"}, row);
  nodes[*product] = node_of("Gemm", {row, table}, flat);
  add_attribute(nodes[*product], "transB", std::int64_t{1});
  nodes[*laid] = node_of("Unsqueeze", {flat, "first_axis"}, kLogits);
}

// ONNX Runtime has a node for RMS norms, and rearranges the table of a Gemm when it opens the graph: 0.86 of a token's time.
// `given` has the constants of the graph as it was. Nodes stay in their places, so that the finder finds them all the while.
void put_quicker_nodes(Changed& graph, std::int64_t hidden_size, const OnnxIndex& given) {
  NodeList& nodes = graph.nodes();
  const Finder finder(nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].op_type() == "ReduceMean") join_rms_norm(nodes, i, finder, given);
  make_tied_head_a_gemm(graph, hidden_size, finder);
}

struct ReadDecoder {
  onnx::ModelProto model;
  std::string what;
};
Status read_decoder(const Path& decoder, ReadDecoder& read) {
  read.what = decoder.string();
  TRY(read_message(decoder, read.model));
  const auto& inputs = read.model.graph().input();
  const auto has = [&](const char* name) { return std::ranges::any_of(inputs, [&](const auto& input) { return input.name() == name; }); };
  if (!has(kVision) || !has(kIds)) return bad_input("{}: has no inputs \"{}\" and \"{}\"; export again", read.what, kVision, kIds);
  return {};
}

}  // namespace

Result<std::string> with_cache(const Path& decoder, const CachedDecoderExtents& extents) {
  ReadDecoder read;
  TRY(read_decoder(decoder, read));
  TRY_ASSIGN(const OnnxModel given, summarize(read.model, read.what));
  Changed graph(read.model);
  TRY_ASSIGN(const Places places, find_places(graph.nodes(), read.what));
  graph.constant("first_axis", {0});
  graph.constant("two_axes", {0, 1});
  add_caches(graph, places, extents);
  add_positions(graph, places, extents);
  keep_last_row(graph);
  if (extents.dtype == Dtype::kFloat32) put_quicker_nodes(graph, extents.hidden_size, OnnxIndex(given));
  graph.add_output(kLogits, Dtype::kFloat32, {std::int64_t{1}, std::int64_t{1}, extents.vocab_size});
  return graph.finish(read.what);
}

Result<std::string> projector_of(const Path& decoder, const CachedDecoderExtents& extents) {
  ReadDecoder read;
  TRY(read_decoder(decoder, read));
  const onnx::ValueInfoProto vision = *std::ranges::find(read.model.graph().input(), kVision, &onnx::ValueInfoProto::name);
  Changed graph(read.model);
  TRY_ASSIGN(const std::size_t join, find_join(graph.nodes(), read.what));
  graph.nodes().resize(join + 1);
  graph.nodes()[join] = node_of("Identity", {graph.nodes()[join].input(0)}, "image_features");
  *read.model.mutable_graph()->add_input() = vision;
  graph.add_output("image_features", extents.dtype, {"batch_size", "num_vision_tokens", extents.hidden_size});
  return graph.finish(read.what);
}

}  // namespace fastvlm
