// What an operator means, computed here in plain loops, against its expansions run by ONNX Runtime: one table for the
// reference and for HTP.
#include "fastvlm/targets/qnn/lower/htp_expansions.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/model_error.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/ops/semantic.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::qnn {
namespace {

using Floats = std::vector<float>;
using Int = std::int64_t;

// Uniform in [-1, 1), the same on every machine.
Floats random(std::size_t count, unsigned seed) {
  Floats values(count);
  std::uint32_t state = seed * 2654435761u + 1;
  for (float& value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(state >> 8) * 0x1p-23f - 1;
  }
  return values;
}
Floats random(const Shape& shape, unsigned seed) { return random(static_cast<std::size_t>(element_count(shape)), seed); }

WeightPtr weight(Shape shape, const Floats& values) { return Weight::of_values(std::move(shape), values, "test"); }

struct Input {
  std::string name;
  Shape shape;
  Floats values;
};

// Expands, writes, runs on the CPU; the outputs in their order.
std::vector<Floats> run_graph(const Graph& graph, const ops::ExpansionTable& table, const std::vector<Input>& inputs) {
  FolderForTests folder;
  auto expanded = ops::expand(graph, table);
  const Path path = folder.write("graph.onnx", to_onnx(*expanded, {}, {}).value());
  auto runner = OrtRunner::open(onnxruntime_for_tests(), path, {.threads = 1});
  EXPECT_TRUE(runner.ok()) << runner.error().message;
  if (!runner.ok()) return {};
  std::vector<NamedTensor> tensors;
  for (const Input& input : inputs) {
    tensors.push_back({input.name, Tensor::of_floats(input.shape, input.values)});
    if (graph.value(graph.inputs()[tensors.size() - 1]).dtype != Dtype::kInt64) continue;
    const std::vector<Int> ids(input.values.begin(), input.values.end());
    tensors.back().tensor = Tensor::of_int64(input.shape, ids);
  }
  auto results = run(**runner, tensors);
  EXPECT_TRUE(results.ok()) << results.error().message;
  std::vector<Floats> outputs;
  if (results.ok())
    for (const NamedTensor& result : *results) outputs.emplace_back(result.tensor.floats().begin(), result.tensor.floats().end());
  return outputs;
}

// sum over k of a[i, k] b[j, k]
Floats times_transposed(const Floats& a, const Floats& b, Int width) {
  const Int rows = static_cast<Int>(a.size()) / width, columns = static_cast<Int>(b.size()) / width;
  Floats out;
  for (Int i = 0; i < rows; ++i)
    for (Int j = 0; j < columns; ++j) {
      double sum = 0;
      for (Int k = 0; k < width; ++k)
        sum += double{a[static_cast<std::size_t>(i * width + k)]} * b[static_cast<std::size_t>(j * width + k)];
      out.push_back(static_cast<float>(sum));
    }
  return out;
}

struct AttentionSize {
  Int length = 0, heads = 0, key_value_heads = 0, head_dim = 0;
  bool causal = false;
};

// softmax(q k^T) v for each head over rows of heads * head_dim numbers.
Floats attend(const Floats& q, const Floats& k, const Floats& v, const AttentionSize& s) {
  const Int d = s.head_dim, wide = s.heads * d, narrow = s.key_value_heads * d;
  Floats out(static_cast<std::size_t>(s.length * wide));
  for (Int head = 0; head < s.heads; ++head)
    for (Int row = 0; row < s.length; ++row) {
      const Int kv = head / (s.heads / s.key_value_heads), last = s.causal ? row : s.length - 1;
      std::vector<double> scores;
      double sum = 0;
      for (Int column = 0; column <= last; ++column) {
        double score = 0;
        for (Int j = 0; j < d; ++j)
          score +=
              double{q[static_cast<std::size_t>(row * wide + head * d + j)]} * k[static_cast<std::size_t>(column * narrow + kv * d + j)];
        scores.push_back(std::exp(score));
        sum += scores.back();
      }
      for (Int j = 0; j < d; ++j) {
        double mixed = 0;
        for (Int column = 0; column <= last; ++column)
          mixed += scores[static_cast<std::size_t>(column)] / sum * v[static_cast<std::size_t>(column * narrow + kv * d + j)];
        out[static_cast<std::size_t>(row * wide + head * d + j)] = static_cast<float>(mixed);
      }
    }
  return out;
}

// Turns the pairs (j, j + d/2) of every head of row p by p * theta^(-2j/d).
Floats rotated(Floats x, Int heads, Int d, double theta) {
  const Int length = static_cast<Int>(x.size()) / (heads * d);
  for (Int p = 0; p < length; ++p)
    for (Int head = 0; head < heads; ++head)
      for (Int j = 0; j < d / 2; ++j) {
        const double angle = static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(j) / static_cast<double>(d));
        float &a = x[static_cast<std::size_t>((p * heads + head) * d + j)],
              &b = x[static_cast<std::size_t>((p * heads + head) * d + j + d / 2)];
        const double first = a * std::cos(angle) - b * std::sin(angle), second = b * std::cos(angle) + a * std::sin(angle);
        a = static_cast<float>(first), b = static_cast<float>(second);
      }
  return x;
}

Floats each(const Floats& x, double (*function)(double)) {
  Floats y;
  for (float value : x) y.push_back(static_cast<float>(function(value)));
  return y;
}

constexpr double kTheta = 1000;

struct Case {
  std::string what;
  std::vector<Input> inputs;
  std::function<Value(Graph&, const std::vector<Value>&)> make;
  Floats expected;
  bool ids = false;  // the input is int64
};

std::vector<Case> elementary_cases() {
  const Floats x = random(24, 1), w = random(30, 2), b = random(5, 3), scale = random(6, 4);
  Floats linear = times_transposed(x, w, 6), biased = linear, normed;
  for (std::size_t i = 0; i < biased.size(); ++i) biased[i] += b[i % 5];
  for (std::size_t row = 0; row < 4; ++row) {
    double mean = 0;
    for (std::size_t i = 0; i < 6; ++i) mean += double{x[6 * row + i]} * x[6 * row + i] / 6;
    for (std::size_t i = 0; i < 6; ++i) normed.push_back(static_cast<float>(x[6 * row + i] / std::sqrt(mean + 0.01) * scale[i]));
  }
  Floats wide = x;
  for (float& value : wide) value *= 6;
  const Floats rows(w.begin() + 12, w.begin() + 18);
  const std::vector<Input> one = {{"x", {1, 4, 6}, x}};
  auto x0 = [](const std::vector<Value>& v) { return v[0]; };
  return {
      {"linear", one, [=](Graph&, const auto& v) { return ops::linear(x0(v), weight({5, 6}, w)); }, linear},
      {"linear with bias", one, [=](Graph&, const auto& v) { return ops::linear(x0(v), weight({5, 6}, w), weight({5}, b)); }, biased},
      {"gelu",
       {{"x", {1, 4, 6}, wide}},
       [=](Graph&, const auto& v) { return ops::gelu(x0(v)); },
       each(wide, [](double t) { return t / 2 * (1 + std::erf(t / std::sqrt(2.0))); })},
      {"silu",
       {{"x", {1, 4, 6}, wide}},
       [=](Graph&, const auto& v) { return ops::silu(x0(v)); },
       each(wide, [](double t) { return t / (1 + std::exp(-t)); })},
      {"gelu of a map",
       {{"x", {1, 2, 3, 4}, wide}},
       [=](Graph&, const auto& v) { return ops::gelu(x0(v)); },
       each(wide, [](double t) { return t / 2 * (1 + std::erf(t / std::sqrt(2.0))); })},
      {"sigmoid",
       {{"x", {1, 4, 6}, wide}},
       [=](Graph&, const auto& v) { return ops::sigmoid(x0(v)); },
       each(wide, [](double t) { return 1 / (1 + std::exp(-t)); })},
      {"rms_norm", one, [=](Graph&, const auto& v) { return ops::rms_norm(x0(v), weight({6}, scale), 0.01); }, normed},
      {"vocabulary_logits", one, [=](Graph&, const auto& v) { return ops::vocabulary_logits(x0(v), weight({5, 6}, w)); }, linear},
      {"vocabulary_logits of one token",
       {{"x", {1, 1, 6}, Floats(x.begin(), x.begin() + 6)}},
       [=](Graph&, const auto& v) { return ops::vocabulary_logits(x0(v), weight({5, 6}, w)); },
       Floats(linear.begin(), linear.begin() + 5)},
      {"embedding", {{"ids", {1, 1}, {2}}}, [=](Graph&, const auto& v) { return ops::embedding(x0(v), weight({5, 6}, w)); }, rows, true},
  };
}

Case self_attention_case(Int heads) {
  const Shape shape = {1, 5, 8};
  const Floats q = random(shape, 5), k = random(shape, 6), v = random(shape, 7);
  return {.what = "self_attention in " + std::to_string(heads) + " heads",
          .inputs = {{"q", shape, q}, {"k", shape, k}, {"v", shape, v}},
          .make = [=](Graph&, const std::vector<Value>& x) { return ops::self_attention(x[0], x[1], x[2], heads); },
          .expected = attend(q, k, v, {.length = 5, .heads = heads, .key_value_heads = heads, .head_dim = 8 / heads})};
}

Case rotary_attention_case(const AttentionSize& s) {
  const Int d = s.head_dim;
  const Shape wide = {1, s.length, s.heads * d}, narrow = {1, s.length, s.key_value_heads * d};
  const Floats q = random(wide, 8), k = random(narrow, 9), v = random(narrow, 10);
  return {.what = fmt::format("rotary_attention of {} tokens, {} heads over {} of {}", s.length, s.heads, s.key_value_heads, d),
          .inputs = {{"q", wide, q}, {"k", narrow, k}, {"v", narrow, v}},
          .make =
              [=](Graph&, const std::vector<Value>& x) {
                return ops::rotary_attention(x[0], x[1], x[2], ops::causal_positions(x[0], d, kTheta),
                                             {.heads = s.heads, .key_value_heads = s.key_value_heads, .head_dim = d});
              },
          .expected = attend(rotated(q, s.heads, d, kTheta), rotated(k, s.key_value_heads, d, kTheta), v,
                             {.length = s.length, .heads = s.heads, .key_value_heads = s.key_value_heads, .head_dim = d, .causal = true})};
}

std::vector<Case> all_cases() {
  std::vector<Case> cases = elementary_cases();
  for (Int heads : {1, 2, 4}) cases.push_back(self_attention_case(heads));
  for (const AttentionSize& size :
       {AttentionSize{1, 2, 1, 4}, AttentionSize{6, 4, 2, 4}, AttentionSize{7, 6, 2, 8}, AttentionSize{5, 3, 3, 2}})
    cases.push_back(rotary_attention_case(size));
  return cases;
}

void expect_close(const Floats& actual, const Floats& expected, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  const Difference difference = compare(actual, expected);
  EXPECT_LE(difference.max_relative, 1e-5) << what;
}

class Expansions : public testing::TestWithParam<const char*> {
 protected:
  const ops::ExpansionTable& table() const {
    return std::string_view(GetParam()) == "htp" ? htp_expansions() : ops::reference_expansions();
  }
};

TEST_P(Expansions, EveryOperatorComputesWhatItMeans) {
  for (const Case& c : all_cases()) {
    Graph graph("case");
    std::vector<Value> values;
    for (const Input& input : c.inputs)
      values.push_back(graph.add_input(input.name, c.ids ? Dtype::kInt64 : Dtype::kFloat32, to_dims(input.shape)));
    graph.add_output(c.make(graph, values), "y");
    auto outputs = run_graph(graph, table(), c.inputs);
    ASSERT_EQ(outputs.size(), 1u) << c.what;
    expect_close(outputs[0], c.expected, c.what);
  }
}

INSTANTIATE_TEST_SUITE_P(Tables, Expansions, testing::Values("reference", "htp"), [](const auto& info) { return std::string(info.param); });

TEST(ReferenceExpansionsRun, WithSymbolicBatchAndLengthToo) {
  const Case c = rotary_attention_case({.length = 6, .heads = 4, .key_value_heads = 2, .head_dim = 4});
  Graph graph("case");
  std::vector<Value> values;
  for (const Input& input : c.inputs)
    values.push_back(graph.add_input(input.name, Dtype::kFloat32, {"batch_size", "length", input.shape[2]}));
  graph.add_output(c.make(graph, values), "y");
  // Twice the same picture: both rows of the batch must be the answer.
  std::vector<Input> twice = c.inputs;
  for (Input& input : twice) {
    input.shape[0] = 2;
    input.values.insert(input.values.end(), input.values.begin(), input.values.end());
  }
  Floats expected = c.expected;
  expected.insert(expected.end(), c.expected.begin(), c.expected.end());
  auto outputs = run_graph(graph, ops::reference_expansions(), twice);
  ASSERT_EQ(outputs.size(), 1u);
  expect_close(outputs[0], expected, "batch of two");
}

// A linear layer and a head whose weights are stored in blocks compute what the numbers behind the codes compute.
TEST(HtpExpansions, WeightsInBlocksComputeWhatTheirCodesMean) {
  const Floats x = random(3 * 64, 1), w = random(48 * 64, 2), b = random(48, 3);
  for (const BlockFormat format : {BlockFormat{8, 64}, BlockFormat{8, 32}, BlockFormat{4, 32}, BlockFormat{4, 16}}) {
    Graph graph("case");
    Value input = graph.add_input("x", Dtype::kFloat32, {1, 3, 64});
    graph.add_output(ops::linear(input, weight({48, 64}, w), weight({48}, b)), "biased");
    graph.add_output(ops::vocabulary_logits(input, weight({48, 64}, w)), "plain");
    encode_weights(graph, {{.match = "*", .weights = WeightEncoding{format}}});
    auto outputs = run_graph(graph, htp_expansions(), {{"x", {1, 3, 64}, x}});
    ASSERT_EQ(outputs.size(), 2u);
    std::vector<float> scales(static_cast<std::size_t>(48 * format.blocks_of(64)));
    std::vector<std::byte> codes(static_cast<std::size_t>(48 * format.row_bytes(64)));
    Floats numbers(w.size());
    quantise_blocks(w, 64, format, {.scales = scales, .codes = codes, .zero_points = {}});
    dequantise_blocks({.scales = scales, .codes = codes}, 64, format, numbers);
    Floats plain = times_transposed(x, numbers, 64), biased = plain;
    for (std::size_t i = 0; i < biased.size(); ++i) biased[i] += b[i % 48];
    expect_close(outputs[0], biased, "linear with bias");
    expect_close(outputs[1], plain, "head");
  }
}

TEST(HtpExpansions, RefuseSymbolicExtentsByName) {
  Graph graph("case");
  Value q = graph.add_input("q", Dtype::kFloat32, {1, "length", 8});
  Scope scope(graph, "model.layers.0.self_attn");
  graph.add_output(ops::rotary_attention(q, q, q, ops::causal_positions(q, 4, kTheta), {.heads = 2, .key_value_heads = 2, .head_dim = 4}),
                   "y");
  try {
    ops::expand(graph, htp_expansions());
    FAIL() << "no error";
  } catch (const ModelError& error) {
    EXPECT_STREQ(error.what(),
                 "[causal_positions] model.layers.0.self_attn: HTP takes no symbolic extents, but the input is [1, length, 8]");
  }
}

// A cache of kContext slots, filled from 0, as a caller keeps it.
class CachedAttention : public testing::Test {
 protected:
  static constexpr Int kHeads = 4, kKv = 2, kD = 4, kLength = 7, kContext = 10;

  // One pass over tokens [begin, begin + real) padded to `chunk`; returns the rows of the real ones.
  Floats step(Int begin, Int real, Int chunk) {
    const Int past = kContext - chunk;
    Graph graph("step");
    auto input = [&](const char* name, Dims dims) { return graph.add_input(name, Dtype::kFloat32, std::move(dims)); };
    Value q = input("q", {1, chunk, kHeads * kD}), k = input("k", {1, chunk, kKv * kD}), v = input("v", {1, chunk, kKv * kD});
    ops::Positions positions = {.cos = input("cos", {1, 1, chunk, kD / 2}),
                                .sin = input("sin", {1, 1, chunk, kD / 2}),
                                .mask = input("mask", {1, 1, chunk, kContext})};
    ops::PastKeyValue cache = {input("past_key", {kKv, 1, kD, past}), input("past_value", {kKv, 1, past, kD})};
    auto result = ops::cached_rotary_attention(q, k, v, positions, cache, {.heads = kHeads, .key_value_heads = kKv, .head_dim = kD});
    graph.add_output(result.output, "y");
    graph.add_output(result.key, "key");
    graph.add_output(result.value, "value");
    const ops::RotaryTables tables = ops::rotary_tables(begin, chunk, kD, kTheta);
    auto outputs = run_graph(graph, htp_expansions(),
                             {{"q", {1, chunk, kHeads * kD}, rows(q_, begin, real, chunk)},
                              {"k", {1, chunk, kKv * kD}, rows(k_, begin, real, chunk)},
                              {"v", {1, chunk, kKv * kD}, rows(v_, begin, real, chunk)},
                              {"cos", {1, 1, chunk, kD / 2}, tables.cos},
                              {"sin", {1, 1, chunk, kD / 2}, tables.sin},
                              {"mask", {1, 1, chunk, kContext}, mask(begin, chunk)},
                              {"past_key", {kKv, 1, kD, past}, past_key(past)},
                              {"past_value", {kKv, 1, past, kD}, past_value(past)}});
    if (outputs.size() != 3) return {};
    keep(outputs[1], outputs[2], begin, real, chunk);
    outputs[0].resize(static_cast<std::size_t>(real * kHeads * kD));
    return outputs[0];
  }

  Floats q_ = random(Shape{kLength, kHeads* kD}, 21), k_ = random(Shape{kLength, kKv* kD}, 22), v_ = random(Shape{kLength, kKv* kD}, 23);

 private:
  // Rows of a sequence, behind them padding that must not matter.
  static Floats rows(const Floats& x, Int begin, Int real, Int chunk) {
    const Int width = static_cast<Int>(x.size()) / kLength;
    Floats part(x.begin() + begin * width, x.begin() + (begin + real) * width);
    part.resize(static_cast<std::size_t>(chunk * width), 3.0f);
    return part;
  }
  static Floats mask(Int begin, Int chunk) {
    const Int past = kContext - chunk;
    Floats mask(static_cast<std::size_t>(chunk * kContext), -1000.0f);
    for (Int row = 0; row < chunk; ++row) {
      for (Int slot = 0; slot < begin; ++slot) mask[static_cast<std::size_t>(row * kContext + slot)] = 0;
      for (Int token = 0; token <= row; ++token) mask[static_cast<std::size_t>(row * kContext + past + token)] = 0;
    }
    return mask;
  }
  Floats past_key(Int past) const {  // [kv, 1, d, past]
    Floats out;
    for (Int i = 0; i < kKv * kD; ++i) out.insert(out.end(), keys_.begin() + i * kContext, keys_.begin() + i * kContext + past);
    return out;
  }
  Floats past_value(Int past) const {  // [kv, 1, past, d]
    Floats out;
    for (Int h = 0; h < kKv; ++h) out.insert(out.end(), values_.begin() + h * kContext * kD, values_.begin() + (h * kContext + past) * kD);
    return out;
  }
  void keep(const Floats& key, const Floats& value, Int begin, Int real, Int chunk) {
    for (Int i = 0; i < kKv * kD; ++i) std::copy_n(key.begin() + i * chunk, real, keys_.begin() + i * kContext + begin);
    for (Int h = 0; h < kKv; ++h) std::copy_n(value.begin() + h * chunk * kD, real * kD, values_.begin() + (h * kContext + begin) * kD);
  }
  // Slots that were never filled hold numbers that would show.
  Floats keys_ = Floats(kKv * kD * kContext, 5.0f), values_ = Floats(kKv * kD * kContext, 5.0f);
};

TEST_F(CachedAttention, InStepsIsTheAttentionOverTheWholeSequence) {
  const Floats expected = attend(rotated(q_, kHeads, kD, kTheta), rotated(k_, kKv, kD, kTheta), v_,
                                 {.length = kLength, .heads = kHeads, .key_value_heads = kKv, .head_dim = kD, .causal = true});
  // A full chunk, a partly filled one, then token by token.
  Floats actual;
  for (auto [begin, real, chunk] : {std::array<Int, 3>{0, 3, 3}, {3, 2, 3}, {5, 1, 1}, {6, 1, 1}}) {
    const Floats piece = step(begin, real, chunk);
    actual.insert(actual.end(), piece.begin(), piece.end());
  }
  expect_close(actual, expected, "cached attention");
}

}  // namespace
}  // namespace fastvlm::qnn
