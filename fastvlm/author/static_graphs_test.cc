#include "fastvlm/author/static_graphs.h"

#include <gtest/gtest.h>

#include <set>

#include "fastvlm/graph/cost.h"
#include "fastvlm/rewrite/pipeline.h"
#include "fastvlm/synthetic/layout.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

// Bytes in half precision of the tensors whose names begin like this, of a checkpoint in Apple's names.
std::uint64_t bytes_below(CheckpointSize size, std::string_view prefix) {
  std::uint64_t elements = 0;
  for (const MadeTensor& tensor : checkpoint_tensors(size, CheckpointDialect::kApple))
    if (tensor.declaration.name.starts_with(prefix)) elements += static_cast<std::uint64_t>(element_count(tensor.declaration.shape));
  return 2 * elements;
}

DecoderBytes made_bytes(CheckpointSize size) {
  return {.layers = facts(size).layers,
          .layer = bytes_below(size, "model.layers.0."),
          .head = bytes_below(size, "model.norm.") + bytes_below(size, facts(size).tied ? "model.embed_tokens." : "lm_head.")};
}

TEST(DecoderParts, EveryPartFitsAndTheHeadIsLast) {
  struct Case {
    CheckpointSize size;
    std::uint64_t limit;
    std::size_t parts;
  };
  const Case cases[] = {
      {CheckpointSize::k0_5b, 1'800'000'000, 1}, {CheckpointSize::k1_5b, 1'800'000'000, 2}, {CheckpointSize::k7b, 1'800'000'000, 11},
      {CheckpointSize::k7b, 3'600'000'000, 5},   {CheckpointSize::k7b, 100'000'000'000, 1}, {CheckpointSize::kTiny, 250'000, 1},
      {CheckpointSize::kTiny, 200'000, 2},       {CheckpointSize::kTiny, 140'000, 2},       {CheckpointSize::kTiny, 120'000, 3},
  };
  for (const Case& c : cases) {
    const DecoderBytes bytes = made_bytes(c.size);
    const auto parts = decoder_parts(bytes, c.limit);
    const std::string what = fmt::format("{} by {}", facts(c.size).name, c.limit);
    EXPECT_EQ(parts.size(), c.parts) << what;
    std::int64_t next = 0;
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      EXPECT_EQ(parts[i].begin, next) << what;
      EXPECT_EQ(parts[i].head, i + 1 == parts.size()) << what;
      EXPECT_TRUE(parts[i].head || parts[i].end > parts[i].begin) << what;
      EXPECT_LE(parts[i].bytes, c.limit) << what << ", part " << i;
      next = parts[i].end;
      sum += parts[i].bytes;
    }
    EXPECT_EQ(next, bytes.layers) << what;
    EXPECT_EQ(sum, static_cast<std::uint64_t>(bytes.layers) * bytes.layer + bytes.head) << what;
  }
}

TEST(DecoderParts, ALimitBelowOneLayerStillGivesOneLayerAPart) {
  const auto parts = decoder_parts(made_bytes(CheckpointSize::kTiny), 1);
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(parts[0].end - parts[0].begin, 1);
  EXPECT_TRUE(parts[2].head);
}

TEST(NpuOptions, WrongOnesAreRefusedWithTheReason) {
  ModelConfig config;
  config.text.max_position_embeddings = 4096;
  struct Case {
    NpuOptions options;
    const char* message;  // "" means accepted
  };
  const Case cases[] = {
      {{}, ""},
      {{.image_sizes = {256, 1024}, .prefill = {}, .context = 2}, ""},
      {{.image_sizes = {256, 100}}, "100"},
      {{.image_sizes = {0}}, "0"},
      {{.image_sizes = {-64}}, "-64"},
      {{.prefill = {}, .context = 1}, "`context` 1: must be from 2 to the model's 4096 positions"},
      {{.prefill = {}, .context = 4097}, "`context` 4097: must be from 2 to the model's 4096 positions"},
      {{.prefill = {0}}, "`prefill` 0: must be at least 1 and below the context of 1024"},
      {{.prefill = {128, -5}}, "`prefill` -5: must be at least 1 and below the context of 1024"},
      {{.prefill = {1024}}, "`prefill` 1024: must be at least 1 and below the context of 1024"},
      {{.prefill = {1023}}, ""},
      {{.fused = {{16, 0}}}, "`fused` 16x0: vision and text tokens must be at least 1 and together at most 4096"},
      {{.fused = {{0, 16}}}, "`fused` 0x16: vision and text tokens must be at least 1 and together at most 4096"},
      {{.fused = {{4000, 97}}}, "`fused` 4000x97: vision and text tokens must be at least 1 and together at most 4096"},
      {{.fused = {{INT64_MAX, INT64_MAX}}}, "`fused` 9223372036854775807x9223372036854775807: vision and text tokens"},
      {{.fused = {{4000, 96}}}, ""},
  };
  for (const Case& c : cases) {
    Status status = check_npu_options(c.options, config);
    EXPECT_EQ(status.ok(), *c.message == '\0') << c.message;
    if (status.ok()) continue;
    EXPECT_EQ(status.error().kind, ErrorKind::kUsage) << c.message;
    EXPECT_NE(status.error().message.find(c.message), std::string::npos) << status.error().message;
  }
}

class NpuGraphs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    checkpoint_ = new Checkpoint(Checkpoint::open(Path(FASTVLM_TEST_DATA) / "golden/apple-tied/checkpoint").value());
    config_ = new ModelConfig(read_model_config(*checkpoint_).value());
  }
  static void TearDownTestSuite() {
    delete config_;
    delete checkpoint_;
  }
  static std::vector<NpuGraph> make(const NpuOptions& options, std::uint64_t limit = UINT64_MAX) {
    return npu_graphs(*config_, Weights(*checkpoint_), options, *known_targets()[0], limit);
  }
  static std::vector<std::string> names(const std::vector<NpuGraph>& graphs) {
    std::vector<std::string> names;
    for (const NpuGraph& graph : graphs) names.push_back(graph.graph->name() + " in " + group_name(graph.role, graph.extents));
    return names;
  }
  static std::map<std::string, std::string> edges(const Graph& graph) {
    std::map<std::string, std::string> edges;
    for (const auto& list : {graph.inputs(), graph.outputs()})
      for (int index : list)
        edges[graph.value(index).name] = fmt::format("{} {}", name(graph.value(index).dtype), to_string(graph.value(index).dims));
    return edges;
  }
  static inline Checkpoint* checkpoint_ = nullptr;
  static inline ModelConfig* config_ = nullptr;
};

TEST_F(NpuGraphs, EveryExtentIsKnownAndEveryNodeIsRankFourAtMost) {
  for (const NpuGraph& npu : make({.image_sizes = {128, 256}, .prefill = {8}, .context = 24, .fused = {{4, 6}}})) {
    rewrite::check_graph(*npu.graph);
    EXPECT_EQ(npu.graph->name(), graph_name(npu.role, npu.extents));
    EXPECT_GT(macs(*npu.graph).value_or(0), 0) << npu.graph->name();
    for (const Node& node : npu.graph->nodes()) {
      EXPECT_NE(node.domain, kSemanticDomain) << npu.graph->name();
      for (int output : node.outputs) {
        const ValueInfo& value = npu.graph->value(output);
        EXPECT_TRUE(static_shape(value.dims).has_value()) << npu.graph->name() << " " << value.name;
        EXPECT_LE(value.dims.size(), 4u) << npu.graph->name() << " " << value.name;
      }
    }
  }
}

TEST_F(NpuGraphs, TheBytesOfLayersAndHeadAreThoseOfTheirTensors) {
  DecoderBytes expected{.layers = config_->text.num_hidden_layers};
  for (const CheckpointTensor& tensor : checkpoint_->tensors()) {
    const std::uint64_t bytes = 2 * static_cast<std::uint64_t>(element_count(tensor.shape));
    if (tensor.name.starts_with("model.layers.0.")) expected.layer += bytes;
    if (tensor.name == "model.norm.weight" || tensor.name == "model.embed_tokens.weight") expected.head += bytes;
  }
  const DecoderBytes actual = decoder_bytes(*config_, Weights(*checkpoint_), {});
  EXPECT_EQ(actual.layers, expected.layers);
  EXPECT_EQ(actual.layer, expected.layer);
  EXPECT_EQ(actual.head, expected.head);
}

TEST_F(NpuGraphs, EachRecipeHasDecodersOfItsOwnWhichAreCutByTheirOwnBytes) {
  const Recipe eight{.name = "mine", .rules = {{.match = "*", .weights = WeightEncoding{{.bits = 8, .block = 32}}}}};
  const DecoderBytes full = decoder_bytes(*config_, Weights(*checkpoint_), {}),
                     packed = decoder_bytes(*config_, Weights(*checkpoint_), eight);
  EXPECT_LT(packed.layer, full.layer * 6 / 10);
  EXPECT_LT(packed.head, full.head * 6 / 10);
  const std::uint64_t limit = full.head + full.layer * static_cast<std::uint64_t>(full.layers) - 1;
  const auto graphs = make({.image_sizes = {128}, .prefill = {}, .context = 24, .fused = {{4, 6}}, .recipes = {{}, eight}}, limit);
  EXPECT_EQ(names(graphs), (std::vector<std::string>{"vision_128 in vision", "decoder_ar1_cl24_part_1_of_2 in decoder_part_1_of_2",
                                                     "decoder_ar1_cl24_part_2_of_2 in decoder_part_2_of_2", "fused_v4_t6 in fused_v4_t6",
                                                     "decoder_ar1_cl24_mine in decoder_mine", "fused_v4_t6_mine in fused_v4_t6_mine"}));
  EXPECT_EQ(macs(*graphs[3].graph), macs(*graphs[5].graph)) << "the products are the same";
}

// The decoder: projections, gated feed-forward, scores and sums over all slots, head. All heads of one size.
TEST_F(NpuGraphs, MacsAreThoseOfTheFormulas) {
  const TextConfig& t = config_->text;
  const std::int64_t a = 8, slots = 24, heads = t.num_attention_heads * t.head_dim, kv = t.num_key_value_heads * t.head_dim;
  const std::int64_t layer = t.hidden_size * (2 * heads + 2 * kv + 3 * t.intermediate_size) + 2 * heads * slots;
  const auto graphs = make({.image_sizes = {}, .prefill = {a}, .context = slots, .prefill_logits = false});
  EXPECT_EQ(macs(*graphs[0].graph), a * t.num_hidden_layers * layer);
  EXPECT_EQ(macs(*graphs[1].graph), t.num_hidden_layers * layer + t.vocab_size * t.hidden_size);
}

TEST_F(NpuGraphs, HaveTheNamesGroupsAndEdgesOfTheContract) {
  const auto graphs = make({.image_sizes = {128, 128}, .prefill = {8, 1, 8}, .context = 24, .fused = {{4, 6}, {4, 6}}});
  ASSERT_EQ(names(graphs), (std::vector<std::string>{"vision_128 in vision", "decoder_ar8_cl24 in decoder", "decoder_ar1_cl24 in decoder",
                                                     "fused_v4_t6 in fused_v4_t6"}));
  const TextConfig& t = config_->text;
  const std::string h = std::to_string(t.hidden_size), d = std::to_string(t.head_dim), half = std::to_string(t.head_dim / 2),
                    kv = std::to_string(t.num_key_value_heads), v = std::to_string(t.vocab_size);
  EXPECT_EQ(edges(*graphs[0].graph), (std::map<std::string, std::string>{{"pixel_values", "float32 [1, 3, 128, 128]"},
                                                                         {"image_features", "float32 [1, 4, " + h + "]"}}));
  const auto decoder = edges(*graphs[1].graph);
  EXPECT_EQ(decoder.size(), 5u + 4 * static_cast<std::size_t>(t.num_hidden_layers));
  EXPECT_EQ(decoder.at("inputs_embeds"), "float32 [1, 8, " + h + "]");
  EXPECT_EQ(decoder.at("attention_mask"), "float32 [1, 1, 8, 24]");
  EXPECT_EQ(decoder.at("position_ids_cos"), "float32 [1, 1, 8, " + half + "]");
  EXPECT_EQ(decoder.at("past_key_0_in"), "float32 [" + kv + ", 1, " + d + ", 16]");
  EXPECT_EQ(decoder.at("past_value_0_in"), "float32 [" + kv + ", 1, 16, " + d + "]");
  EXPECT_EQ(decoder.at("past_key_0_out"), "float32 [" + kv + ", 1, " + d + ", 8]");
  EXPECT_EQ(decoder.at("past_value_0_out"), "float32 [" + kv + ", 1, 8, " + d + "]");
  EXPECT_EQ(decoder.at("logits"), "float32 [1, 8, " + v + "]");
  EXPECT_EQ(edges(*graphs[3].graph).at("input_ids"), "int32 [1, 6]");
}

TEST_F(NpuGraphs, ALowLimitCutsTheDecoderIntoPartsThatHandOnTheHiddenStates) {
  const auto graphs = make({.image_sizes = {}, .prefill = {8}, .context = 24}, 1);
  ASSERT_EQ(names(graphs),
            (std::vector<std::string>{
                "decoder_ar8_cl24_part_1_of_3 in decoder_part_1_of_3", "decoder_ar1_cl24_part_1_of_3 in decoder_part_1_of_3",
                "decoder_ar8_cl24_part_2_of_3 in decoder_part_2_of_3", "decoder_ar1_cl24_part_2_of_3 in decoder_part_2_of_3",
                "decoder_ar8_cl24_part_3_of_3 in decoder_part_3_of_3", "decoder_ar1_cl24_part_3_of_3 in decoder_part_3_of_3"}));
  const auto first = edges(*graphs[0].graph), middle = edges(*graphs[2].graph), last = edges(*graphs[4].graph);
  EXPECT_TRUE(first.contains("inputs_embeds") && first.contains("hidden_states_out") && first.contains("past_key_0_in") &&
              !first.contains("past_key_1_in"));
  EXPECT_TRUE(middle.contains("hidden_states_in") && middle.contains("hidden_states_out") && middle.contains("past_key_1_in") &&
              !middle.contains("past_key_0_in"));
  EXPECT_EQ(last.size(), 2u);
  EXPECT_EQ(first.at("hidden_states_out"), last.at("hidden_states_in"));
  EXPECT_TRUE(last.contains("logits"));
}

TEST_F(NpuGraphs, PrefillWithoutLogitsEndsBeforeTheHead) {
  const auto graphs = make({.image_sizes = {}, .prefill = {8}, .context = 24, .prefill_logits = false});
  EXPECT_FALSE(edges(*graphs[0].graph).contains("logits"));
  EXPECT_TRUE(edges(*graphs[1].graph).contains("logits"));
  EXPECT_EQ(make({.image_sizes = {}, .prefill = {8}, .context = 24, .prefill_logits = false}, 1).size(), 5u)
      << "no prefill graph for a part that is only the head";
}

TEST_F(NpuGraphs, HalfPrecisionReachesTheEdges) {
  for (const NpuGraph& npu : make({.image_sizes = {128}, .prefill = {}, .context = 8, .io_dtype = Dtype::kFloat16}))
    for (const auto& [name, type] : edges(*npu.graph)) EXPECT_TRUE(type.starts_with("float16")) << npu.graph->name() << " " << name;
}

}  // namespace
}  // namespace fastvlm
