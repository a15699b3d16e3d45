#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "fastvlm/author/static_graphs.h"
#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/quant/integer_graph.h"
#include "fastvlm/quant/recipe.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/targets/qnn/chips/soc_for_tests.h"
#include "fastvlm/targets/qnn/run/qnn_session.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kTokens = 48;

// Runs with every output that the graph has and keeps their ranges.
class ObservingRunner final : public Runner {
 public:
  ObservingRunner(std::unique_ptr<Runner> runner, Ranges& ranges) : runner_(std::move(runner)), ranges_(ranges) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    for (const NamedTensorView& input : inputs)
      ranges_.values[input.name].observe(
          {reinterpret_cast<const float*>(input.view.bytes.data()), input.view.bytes.size() / sizeof(float)});
    auto all = runner_->run(inputs, {});
    if (!all.ok()) return all;
    std::vector<NamedTensor> chosen;
    for (NamedTensor& tensor : *all) {
      ranges_.values[tensor.name].observe(tensor.tensor.floats());
      if (std::ranges::find(wanted, tensor.name) != wanted.end()) chosen.push_back(std::move(tensor));
    }
    return chosen;
  }

 private:
  std::unique_ptr<Runner> runner_;
  Ranges& ranges_;
};

class GraphsOfDecoder : public testing::Test {
 protected:
  explicit GraphsOfDecoder(const std::string& model, const std::string& recipe = "w8a16",
                           std::optional<Activations> activations = std::nullopt)
      : recipe_(recipe_with(recipe, activations)),
        checkpoint_(Checkpoint::open(Path(FASTVLM_TEST_DATA) / "golden" / model / "checkpoint").value()),
        config_(read_model_config(checkpoint_).value()) {
    graphs_ = make_graphs();
    calibrate();
  }

  static Recipe recipe_with(const std::string& name, std::optional<Activations> activations) {
    Recipe recipe = find_recipe(name).value();
    recipe.activations = activations.value_or(recipe.activations);
    return recipe;
  }

  std::vector<NpuGraph> make_graphs() const {
    const NpuOptions options{.prefill = {16}, .context = 64, .recipes = {recipe_}};
    auto all = npu_graphs(config_, Weights(checkpoint_), options, *known_targets()[0], std::uint64_t{1} << 40);
    std::erase_if(all, [](const NpuGraph& graph) { return graph.role != GraphRole::kDecoder; });
    return all;
  }

  // As large as rows of the embedding.
  std::vector<float> sequence(std::uint32_t state) const {
    std::vector<float> rows(static_cast<std::size_t>(kTokens * config_.text.hidden_size));
    for (float& value : rows) {
      float sum = 0;
      for (int i = 0; i < 4; ++i) sum += static_cast<float>((state = state * 1664525u + 1013904223u) >> 8) * 0x1p-24f - 0.5F;
      value = 0.05F * sum;
    }
    return rows;
  }

  DecoderSession session(std::vector<DecoderGraph> graphs) const {
    auto made = DecoderSession::create(std::move(graphs), {.rope_theta = config_.text.rope_theta});
    EXPECT_TRUE(made.ok()) << made.error().message;
    return std::move(made).value();
  }

  Path write(const Graph& graph, const std::string& suffix = "") {
    const OnnxVersions versions = onnx_versions(recipe_.activations);
    auto bytes = to_onnx(graph, {}, {.opset = versions.opset, .ir_version = versions.ir});
    EXPECT_TRUE(bytes.ok());
    return folder_.write(graph.name() + suffix + ".onnx", *bytes);
  }

  static std::unique_ptr<Runner> on_cpu(const Path& model) {
    static const auto runtime = onnxruntime_for_tests();
    const std::string bytes = read_file(model, std::size_t{1} << 30).value();
    auto runner = OrtRunner::open(runtime, {.bytes = std::as_bytes(std::span(bytes)), .what = model.string(), .data_folder = {}},
                                  {.threads = 1, .optimization = GraphOptimization::kNone});
    EXPECT_TRUE(runner.ok()) << runner.error().message;
    return std::move(runner).value();
  }
  std::unique_ptr<Runner> on_chip(const Path& model, const char* chip) {
    auto runner = qnn::open_in_child({.program = FASTVLM_PROGRAM,
                                      .runtimes = runtimes_for_tests(),
                                      .soc_model = qnn::find_soc(chip).value()->soc_model,
                                      .model = model,
                                      .log_folder = folder_.path()});
    EXPECT_TRUE(runner.ok()) << chip << ": " << runner.error().message;
    return runner.ok() ? std::move(runner).value() : nullptr;
  }

  void calibrate() {
    std::vector<DecoderGraph> observed;
    for (NpuGraph& made : make_graphs()) {
      Graph& graph = *made.graph;
      const std::vector<int> outputs = graph.outputs();
      for (std::size_t i = 0; i < graph.values().size(); ++i) {
        const ValueInfo& info = graph.value(static_cast<int>(i));
        if (info.producer >= 0 && std::ranges::find(outputs, static_cast<int>(i)) == outputs.end())
          graph.add_output({&graph, static_cast<int>(i)}, info.name);
      }
      observed.push_back({.name = graph.name(),
                          .new_tokens = made.extents.new_tokens,
                          .runner = std::make_unique<ObservingRunner>(on_cpu(write(graph, "_observed")), ranges_)});
    }
    DecoderSession calibration = session(std::move(observed));
    for (std::uint32_t seed : {1u, 2u, 3u, 4u}) {
      calibration.reset();
      ASSERT_TRUE(calibration.prefill_all(sequence(seed)).ok());
      ASSERT_TRUE(
          calibration.step(std::span<const float>(sequence(seed + 100)).first(static_cast<std::size_t>(config_.text.hidden_size))).ok());
    }
  }

  // Logits of all rows of a sequence that was not calibrated with, and of a step behind it.
  template <class Open>
  std::vector<float> logits(const Open& open) {
    std::vector<DecoderGraph> graphs;
    for (const NpuGraph& made : graphs_) {
      graphs.push_back({.name = made.graph->name(), .new_tokens = made.extents.new_tokens, .runner = open(*made.graph)});
      if (graphs.back().runner == nullptr) return {};
    }
    DecoderSession talk = session(std::move(graphs));
    auto rows = talk.prefill_all(sequence(77));
    EXPECT_TRUE(rows.ok()) << rows.error().message;
    auto step = talk.step(std::span<const float>(sequence(78)).first(static_cast<std::size_t>(config_.text.hidden_size)));
    EXPECT_TRUE(step.ok()) << step.error().message;
    if (!rows.ok() || !step.ok()) return {};
    rows->insert(rows->end(), step->begin(), step->end());
    return *rows;
  }
  std::vector<float> float_logits() {
    return logits([&](const Graph& graph) { return on_cpu(write(graph)); });
  }
  Path write_integers(const Graph& graph) {
    auto integers = to_integers(graph, ranges_, form_of(recipe_.activations));
    EXPECT_TRUE(integers.ok()) << integers.error().message;
    return write(*integers->graph, "_integers");
  }
  std::vector<float> integer_logits() {
    return logits([&](const Graph& graph) { return on_cpu(write_integers(graph)); });
  }

  Recipe recipe_;
  Checkpoint checkpoint_;
  ModelConfig config_;
  FolderForTests folder_;
  Ranges ranges_;
  std::vector<NpuGraph> graphs_;
};

class IntegerGraph : public GraphsOfDecoder, public testing::WithParamInterface<const char*> {
 protected:
  IntegerGraph() : GraphsOfDecoder(GetParam()) {}
};

// Random weights, sequences that were not calibrated with: 30.7, 25.4 and 28.2 dB were measured.
TEST_P(IntegerGraph, TheDecoderStaysNearItsFloats) {
  const double snr = compare(integer_logits(), float_logits()).snr_db;
  RecordProperty("snr", fmt::format("{:.1f}", snr));
  EXPECT_GE(snr, 24);
}

TEST_P(IntegerGraph, BothLengthsGiveTheCacheOneEncoding) {
  std::vector<std::optional<Encoding>> first;
  for (const NpuGraph& made : graphs_) {
    const auto encodings = encode_activations(*made.graph, ranges_, {});
    ASSERT_TRUE(encodings.ok()) << encodings.error().message;
    std::vector<std::optional<Encoding>> cache;
    for (const char* name : {"past_key_0_in", "past_key_0_out", "past_value_0_in", "past_value_0_out"})
      cache.push_back(encodings->encodings[static_cast<std::size_t>(made.graph->find(name).index())]);
    EXPECT_EQ(cache[0], cache[1]);
    EXPECT_EQ(cache[2], cache[3]);
    ASSERT_TRUE(cache[0].has_value());
    EXPECT_EQ(cache[0]->dtype, Dtype::kInt16);
    if (!first.empty()) {
      EXPECT_EQ(first, cache);
    }
    first = cache;
  }
}

TEST_P(IntegerGraph, AValueWithoutRangeIsNamed) {
  ranges_.values.erase("attention_mask");
  auto integers = to_integers(*graphs_[0].graph, ranges_, {});
  ASSERT_FALSE(integers.ok());
  EXPECT_NE(integers.error().message.find("\"attention_mask\""), std::string::npos) << integers.error().message;
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, IntegerGraph, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"));

struct IntegerGraphThroughout : GraphsOfDecoder, testing::WithParamInterface<const char*> {
  IntegerGraphThroughout() : GraphsOfDecoder(GetParam(), "w8a16-int") {}
};

// A cache of 8 bits, streams and norms in integers.
TEST_P(IntegerGraphThroughout, TheDecoderStaysNearItsFloats) {
  const double snr = compare(integer_logits(), float_logits()).snr_db;
  RecordProperty("snr", fmt::format("{:.1f}", snr));
  EXPECT_GE(snr, 18);
}

TEST_P(IntegerGraphThroughout, NoOperatorReadsAFloatAndNoSecondFactorHasSixteenBits) {
  for (const NpuGraph& made : graphs_) {
    auto integers = to_integers(*made.graph, ranges_, form_of(recipe_.activations));
    ASSERT_TRUE(integers.ok()) << integers.error().message;
    EXPECT_EQ(graph_entry(*integers->graph, made.role, made.extents, Dtype::kFloat32).activations, Activations::kWhole);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, IntegerGraphThroughout, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"));

struct IntegerGraphWithShortFactors : GraphsOfDecoder, testing::WithParamInterface<const char*> {
  IntegerGraphWithShortFactors() : GraphsOfDecoder(GetParam(), "w8a16", Activations::kInt16Int8) {}
};

// Keys and values of 8 bits beside streams in half precision: what HTP v69 takes.
TEST_P(IntegerGraphWithShortFactors, TheDecoderStaysNearItsFloatsAndNoSecondFactorHasSixteenBits) {
  const double snr = compare(integer_logits(), float_logits()).snr_db;
  RecordProperty("snr", fmt::format("{:.1f}", snr));
  EXPECT_GE(snr, 18);
  for (const NpuGraph& made : graphs_) {
    auto integers = to_integers(*made.graph, ranges_, form_of(recipe_.activations));
    ASSERT_TRUE(integers.ok()) << integers.error().message;
    EXPECT_EQ(graph_entry(*integers->graph, made.role, made.extents, Dtype::kFloat32).activations, Activations::kInt16Int8);
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, IntegerGraphWithShortFactors, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"));

struct IntegerGraphOnNpu : GraphsOfDecoder {
  explicit IntegerGraphOnNpu(const std::string& recipe = "w8a16", std::optional<Activations> activations = std::nullopt)
      : GraphsOfDecoder("apple-tied", recipe, activations) {}
  void expect_what_the_cpu_computes(std::initializer_list<const char*> chips) {
    const auto expected = float_logits();
    const double cpu = compare(integer_logits(), expected).snr_db;
    for (const char* chip : chips) {
      const auto actual = logits([&](const Graph& graph) { return on_chip(write_integers(graph), chip); });
      ASSERT_FALSE(actual.empty()) << chip;
      EXPECT_NEAR(compare(actual, expected).snr_db, cpu, 0.3) << chip;
    }
  }
};

struct IntegerGraphThroughoutOnNpu : IntegerGraphOnNpu {
  IntegerGraphThroughoutOnNpu() : IntegerGraphOnNpu("w8a16-int") {}
};

struct IntegerGraphWithShortFactorsOnNpu : IntegerGraphOnNpu {
  IntegerGraphWithShortFactorsOnNpu() : IntegerGraphOnNpu("w8a16", Activations::kInt16Int8) {}
};

TEST_F(IntegerGraphOnNpu, EmulatedChipsComputeWhatTheCpuDoes) { expect_what_the_cpu_computes({"sm8750", "sm8550"}); }
TEST_F(IntegerGraphThroughoutOnNpu, EmulatedChipsThatMultiplyNoSixteenBitsDoSoToo) { expect_what_the_cpu_computes({"sm8350", "sm8450"}); }
TEST_F(IntegerGraphWithShortFactorsOnNpu, AnEmulatedChipOfV69DoesSoToo) { expect_what_the_cpu_computes({"sm8450"}); }

}  // namespace
}  // namespace fastvlm
