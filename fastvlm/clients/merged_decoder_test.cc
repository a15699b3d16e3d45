// The decoder with a growing cache against what the reference implementation computed, however the sequence is cut.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "fastvlm/author/cached_graphs.h"
#include "fastvlm/checkpoint/checkpoint.h"
#include "fastvlm/checkpoint/golden_for_tests.h"
#include "fastvlm/clients/cached_files.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::clients {
namespace {

// The value, or the end of the test program with the sentence.
template <class T>
T need(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

struct Floats {
  Shape shape;
  std::vector<float> values;
};

// Rows [begin, end) of axis 1 of [B, L, W].
Floats cut(const Floats& x, std::int64_t begin, std::int64_t end) {
  Floats part{.shape = {x.shape[0], end - begin, x.shape[2]}, .values = {}};
  for (std::int64_t b = 0; b < x.shape[0]; ++b) {
    const auto row = x.values.begin() + b * x.shape[1] * x.shape[2];
    part.values.insert(part.values.end(), row + begin * x.shape[2], row + end * x.shape[2]);
  }
  return part;
}

Floats floats_of(const Tensor& tensor) { return {.shape = tensor.shape, .values = {tensor.floats().begin(), tensor.floats().end()}}; }

Tensor integers(const Shape& shape, const std::vector<std::int64_t>& values) { return Tensor::of_int64(shape, values); }

// The three graphs of one golden checkpoint, weights inside.
class Decoder {
 public:
  explicit Decoder(const std::string& name, Dtype dtype = Dtype::kFloat32, int bits = 0)
      : golden_(golden_tensors(name)), checkpoint_(need(Checkpoint::open(golden_folder(name) / "checkpoint"))) {
    config_ = need(read_model_config(checkpoint_));
    const Weights weights(checkpoint_);
    CachedGraphOptions options{.image_size = 128, .dtype = dtype, .encodings = {}};
    options.encodings = variant_rules(bits);
    decoder_ = open(*merged_decoder_graph(config_, weights, options));
    options.encodings.clear();
    embed_ = open(*embed_tokens_graph(config_, weights, options));
    vision_ = open(*image_features_graph(config_, weights, options));
  }

  const Tensor& golden(const std::string& key) const { return std::ranges::find(golden_, key, &NamedTensor::name)->tensor; }
  Runner& decoder() { return *decoder_; }
  Tensor features(const Tensor& pixels) { return one(*vision_, {{"pixel_values", pixels}}); }
  Tensor embeddings(const Tensor& ids) { return one(*embed_, {{"input_ids", ids}}); }

  // Picture first, then the text, as the logits of the golden file have it.
  Floats sequence(const std::string& prefix) {
    const Floats image = floats_of(features(golden(prefix + ".pixel_values"))),
                 text = floats_of(embeddings(golden(prefix + ".first.input_ids")));
    Floats all{.shape = {image.shape[0], image.shape[1] + text.shape[1], image.shape[2]}, .values = {}};
    for (std::int64_t b = 0; b < image.shape[0]; ++b)
      for (const Floats* part : {&image, &text}) {
        const auto row = part->values.begin() + b * part->shape[1] * part->shape[2];
        all.values.insert(all.values.end(), row, row + part->shape[1] * part->shape[2]);
      }
    return all;
  }

  // Feeds the sequence in pieces of these lengths, each with the cache that the one before returned; all logits in order.
  // The first `padding` tokens of each row are hidden and the positions begin behind them.
  Floats logits(const Floats& sequence, const std::vector<std::int64_t>& pieces, std::int64_t padding = 0) {
    const std::int64_t batch = sequence.shape[0];
    std::vector<NamedTensor> past = empty_cache(batch);
    Floats all{.shape = {batch, 0, config_.text.vocab_size}, .values = {}};
    std::vector<Floats> parts;
    std::int64_t done = 0;
    for (std::int64_t length : pieces) {
      std::vector<NamedTensor> inputs = past;
      const Floats fresh = cut(sequence, done, done + length);
      inputs.push_back({"inputs_embeds", Tensor::of_floats(fresh.shape, fresh.values)});
      std::vector<std::int64_t> mask, positions;
      for (std::int64_t b = 0; b < batch; ++b) {
        for (std::int64_t t = 0; t < done + length; ++t) mask.push_back(t < padding ? 0 : 1);
        for (std::int64_t t = done; t < done + length; ++t) positions.push_back(std::max<std::int64_t>(0, t - padding));
      }
      inputs.push_back({"attention_mask", integers({batch, done + length}, mask)});
      inputs.push_back({"position_ids", integers({batch, length}, positions)});
      std::vector<NamedTensor> outputs = need(run(*decoder_, inputs));
      parts.push_back(floats_of(outputs[0].tensor));
      done += length;
      past.assign(std::make_move_iterator(outputs.begin() + 1), std::make_move_iterator(outputs.end()));
      for (NamedTensor& tensor : past) tensor.name.replace(0, std::strlen("present"), "past_key_values");
    }
    all.shape[1] = done;
    for (std::int64_t b = 0; b < batch; ++b)
      for (const Floats& part : parts) {
        const auto row = part.values.begin() + b * part.shape[1] * part.shape[2];
        all.values.insert(all.values.end(), row, row + part.shape[1] * part.shape[2]);
      }
    cache_ = std::move(past);
    return all;
  }
  const std::vector<NamedTensor>& cache() const { return cache_; }

 private:
  static std::unique_ptr<Runner> open(const Graph& graph) {
    static const auto runtime = onnxruntime_for_tests();
    const std::string bytes = need(to_onnx(graph, {}, {}));
    return need(
        OrtRunner::open(runtime, {.bytes = std::as_bytes(std::span(bytes)), .what = graph.name(), .data_folder = {}}, {.threads = 1}));
  }
  static Tensor one(Runner& runner, const std::vector<NamedTensor>& inputs) { return std::move(need(run(runner, inputs))[0].tensor); }
  std::vector<NamedTensor> empty_cache(std::int64_t batch) const {
    std::vector<NamedTensor> past;
    for (std::int64_t i = 0; i < config_.text.num_hidden_layers; ++i)
      for (const char* part : {".key", ".value"})
        past.push_back({"past_key_values." + std::to_string(i) + part,
                        Tensor::zeros(Dtype::kFloat32, {batch, config_.text.num_key_value_heads, 0, config_.text.head_dim})});
    return past;
  }

  std::vector<NamedTensor> golden_, cache_;
  Checkpoint checkpoint_;
  ModelConfig config_;
  std::unique_ptr<Runner> decoder_, embed_, vision_;
};

class MergedDecoder : public testing::TestWithParam<const char*> {};

TEST_P(MergedDecoder, GivesTheReferencesLogitsForEveryCutOfTheSequenceAndBothBatches) {
  Decoder model(GetParam());
  for (const char* prefix : {"s128.b1", "s128.b2"}) {
    const Floats sequence = model.sequence(prefix);
    const Tensor& expected = model.golden(std::string(prefix) + ".first.logits");
    for (const std::vector<std::int64_t>& pieces :
         std::vector<std::vector<std::int64_t>>{{15}, {14, 1}, {1, 14}, {5, 1, 9}, std::vector<std::int64_t>(15, 1)}) {
      const Floats actual = model.logits(sequence, pieces);
      ASSERT_EQ(actual.shape, expected.shape);
      EXPECT_LE(compare(actual.values, expected.floats()).max_relative, 1e-5) << prefix << ", first piece " << pieces[0];
    }
  }
}

TEST_P(MergedDecoder, GivesTheReferencesImageFeatures) {
  Decoder model(GetParam());
  for (const std::string prefix : {"s128.b1", "s128.b2"}) {
    const Tensor features = model.features(model.golden(prefix + ".pixel_values"));
    ASSERT_EQ(features.shape, model.golden(prefix + ".image_features").shape);
    EXPECT_LE(compare(features.floats(), model.golden(prefix + ".image_features").floats()).max_relative, 1e-5) << prefix;
  }
}

TEST(MergedDecoderCache, HoldsTheKeysAndValuesOfAllTokens) {
  Decoder model("apple-tied");
  const Floats sequence = model.sequence("s128.b2");
  model.logits(sequence, {15});
  const std::vector<NamedTensor> whole = model.cache();
  model.logits(sequence, {4, 11});
  for (std::size_t i = 0; i < whole.size(); ++i) {
    ASSERT_EQ(whole[i].tensor.shape, model.cache()[i].tensor.shape);
    EXPECT_EQ(whole[i].tensor.shape[2], 15);
    EXPECT_LE(compare(model.cache()[i].tensor.floats(), whole[i].tensor.floats()).max_relative, 1e-5) << whole[i].name;
  }
}

TEST(MergedDecoderPadding, OnTheLeftChangesNothingForTheTokensBehindItInBothPrecisions) {
  for (Dtype dtype : {Dtype::kFloat32, Dtype::kFloat16}) {
    Decoder model("apple-tied", dtype);
    const Floats sequence = model.sequence("s128.b1");
    Floats padded{.shape = {1, 18, sequence.shape[2]}, .values = std::vector<float>(static_cast<std::size_t>(3 * sequence.shape[2]), 0.5f)};
    padded.values.insert(padded.values.end(), sequence.values.begin(), sequence.values.end());
    const Floats actual = cut(model.logits(padded, {10, 8}, 3), 3, 18);
    const double limit = dtype == Dtype::kFloat32 ? 1e-5 : 2e-2;
    EXPECT_LE(compare(actual.values, model.golden("s128.b1.first.logits").floats()).max_relative, limit) << name(dtype);
  }
}

// Random weights amplify every error; a trained checkpoint loses less.
TEST_P(MergedDecoder, LosesLittleInTheVariantsOfEightAndFourBits) {
  for (const auto& [bits, least_db] : {std::pair{8, 35.0}, std::pair{4, 20.0}}) {
    Decoder model(GetParam(), Dtype::kFloat32, bits);
    const Floats actual = model.logits(model.sequence("s128.b2"), {5, 1, 9});
    const double snr_db = compare(actual.values, model.golden("s128.b2.first.logits").floats()).snr_db;
    EXPECT_GE(snr_db, least_db) << bits << " bits";
  }
}

INSTANTIATE_TEST_SUITE_P(Checkpoints, MergedDecoder, testing::Values("apple-tied", "hf-untied-sharded", "hf-unfused"));

TEST(MergedDecoderSignature, HasTheOrderThatClientsBindByPosition) {
  Decoder model("apple-tied");
  std::vector<std::string> inputs, outputs;
  for (const TensorInfo& info : model.decoder().inputs()) inputs.push_back(info.name);
  for (const TensorInfo& info : model.decoder().outputs()) outputs.push_back(info.name);
  EXPECT_EQ(inputs, (std::vector<std::string>{"inputs_embeds", "attention_mask", "position_ids", "past_key_values.0.key",
                                              "past_key_values.0.value", "past_key_values.1.key", "past_key_values.1.value"}));
  EXPECT_EQ(outputs, (std::vector<std::string>{"logits", "present.0.key", "present.0.value", "present.1.key", "present.1.value"}));
}

}  // namespace
}  // namespace fastvlm::clients
