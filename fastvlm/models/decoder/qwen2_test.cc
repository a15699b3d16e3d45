// The decoder against the same formulas written out as loops in double precision. No two extents are equal, epsilon and theta
// are unusual, so that a swapped axis or another constant shows.
#include "fastvlm/models/decoder/qwen2.h"

#include <cmath>

#include "fastvlm/checkpoint/checkpoint_for_tests.h"
#include "fastvlm/models/page_for_tests.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::models {
namespace {

using Rows = std::vector<std::vector<double>>;

const TextConfig kConfig = {.hidden_size = 14,
                            .intermediate_size = 10,
                            .num_hidden_layers = 2,
                            .num_attention_heads = 4,
                            .num_key_value_heads = 2,
                            .head_dim = 6,
                            .vocab_size = 9,
                            .rope_theta = 50,
                            .rms_norm_eps = 0.3};

constexpr std::int64_t kLength = 5;

// The reference: one sequence, row by row.
class Reference {
 public:
  explicit Reference(const CheckpointForTests& checkpoint) : checkpoint_(checkpoint) {}

  // y = x W^T + b
  Rows linear(const Rows& x, const std::string& name) const {
    const auto w = checkpoint_.numbers(name + ".weight");
    const auto b = checkpoint_.has(name + ".bias") ? checkpoint_.numbers(name + ".bias") : std::vector<double>(w.size() / x[0].size());
    Rows y;
    for (const auto& row : x) {
      y.push_back(b);
      for (std::size_t o = 0; o < b.size(); ++o)
        for (std::size_t i = 0; i < row.size(); ++i) y.back()[o] += w[o * row.size() + i] * row[i];
    }
    return y;
  }
  Rows norm(Rows x, const std::string& name) const {
    const auto w = checkpoint_.numbers(name + ".weight");
    for (auto& row : x) {
      double squares = 0;
      for (double value : row) squares += value * value;
      const double factor = 1 / std::sqrt(squares / static_cast<double>(row.size()) + kConfig.rms_norm_eps);
      for (std::size_t i = 0; i < row.size(); ++i) row[i] *= factor * w[i];
    }
    return x;
  }
  // Turns (x[j], x[j + d/2]) of each head by position * theta^(-2j/d).
  static Rows rotated(Rows x) {
    const auto d = static_cast<std::size_t>(kConfig.head_dim);
    for (std::size_t p = 0; p < x.size(); ++p)
      for (std::size_t head = 0; head < x[p].size(); head += d)
        for (std::size_t j = 0; j < d / 2; ++j) {
          const double angle =
              static_cast<double>(p) * std::pow(kConfig.rope_theta, -2.0 * static_cast<double>(j) / static_cast<double>(d));
          const double a = x[p][head + j], b = x[p][head + j + d / 2];
          x[p][head + j] = a * std::cos(angle) - b * std::sin(angle);
          x[p][head + j + d / 2] = b * std::cos(angle) + a * std::sin(angle);
        }
    return x;
  }
  // Each row looks at itself and the rows before it; query head h at key head h / group.
  static Rows attended(const Rows& q, const Rows& k, const Rows& v) {
    const auto d = static_cast<std::size_t>(kConfig.head_dim);
    const auto group = static_cast<std::size_t>(kConfig.num_attention_heads / kConfig.num_key_value_heads);
    Rows y(q.size(), std::vector<double>(q[0].size()));
    for (std::size_t p = 0; p < q.size(); ++p)
      for (std::size_t head = 0; head < q[p].size() / d; ++head) {
        std::vector<double> weights;
        double sum = 0;
        for (std::size_t other = 0; other <= p; ++other) {
          double score = 0;
          for (std::size_t j = 0; j < d; ++j) score += q[p][head * d + j] * k[other][head / group * d + j];
          weights.push_back(std::exp(score / std::sqrt(static_cast<double>(d))));
          sum += weights.back();
        }
        for (std::size_t other = 0; other <= p; ++other)
          for (std::size_t j = 0; j < d; ++j) y[p][head * d + j] += weights[other] / sum * v[other][head / group * d + j];
      }
    return y;
  }
  Rows layer(Rows x, const std::string& name) const {
    const Rows a = norm(x, name + ".input_layernorm");
    add(x, linear(attended(rotated(linear(a, name + ".self_attn.q_proj")), rotated(linear(a, name + ".self_attn.k_proj")),
                           linear(a, name + ".self_attn.v_proj")),
                  name + ".self_attn.o_proj"));
    const Rows m = norm(x, name + ".post_attention_layernorm");
    Rows gate = linear(m, name + ".mlp.gate_proj");
    const Rows up = linear(m, name + ".mlp.up_proj");
    for (std::size_t p = 0; p < gate.size(); ++p)
      for (std::size_t i = 0; i < gate[p].size(); ++i) gate[p][i] = gate[p][i] / (1 + std::exp(-gate[p][i])) * up[p][i];
    add(x, linear(gate, name + ".mlp.down_proj"));
    return x;
  }

 private:
  static void add(Rows& x, const Rows& y) {
    for (std::size_t p = 0; p < x.size(); ++p)
      for (std::size_t i = 0; i < x[p].size(); ++i) x[p][i] += y[p][i];
  }
  const CheckpointForTests& checkpoint_;
};

std::vector<float> flat(const Rows& rows) {
  std::vector<float> values;
  for (const auto& row : rows) values.insert(values.end(), row.begin(), row.end());
  return values;
}

class Qwen2 : public testing::Test {
 protected:
  Qwen2() {
    const TextConfig& c = kConfig;
    const std::int64_t heads = c.num_attention_heads * c.head_dim, kv = c.num_key_value_heads * c.head_dim;
    for (const std::string layer : {"model.layers.0", "model.layers.1"}) {
      struct Linear {
        const char* name;
        std::int64_t out, in;
      };
      for (const Linear& row :
           {Linear{"self_attn.q_proj", heads, c.hidden_size}, Linear{"self_attn.k_proj", kv, c.hidden_size},
            Linear{"self_attn.v_proj", kv, c.hidden_size}, Linear{"self_attn.o_proj", c.hidden_size, heads},
            Linear{"mlp.gate_proj", c.intermediate_size, c.hidden_size}, Linear{"mlp.up_proj", c.intermediate_size, c.hidden_size},
            Linear{"mlp.down_proj", c.hidden_size, c.intermediate_size}})
        checkpoint_.add(fmt::format("{}.{}.weight", layer, row.name), {row.out, row.in});
      for (const auto& [name, size] : {std::pair{"q", heads}, std::pair{"k", kv}, std::pair{"v", kv}})
        checkpoint_.add(fmt::format("{}.self_attn.{}_proj.bias", layer, name), {size});
      for (const char* name : {"input_layernorm", "post_attention_layernorm"})
        checkpoint_.add(fmt::format("{}.{}.weight", layer, name), {c.hidden_size}, 0.5f, 1.5f);
    }
    checkpoint_.add("model.norm.weight", {c.hidden_size}, 0.5f, 1.5f);
    checkpoint_.add("model.embed_tokens.weight", {c.vocab_size, c.hidden_size});
    checkpoint_.add("lm_head.weight", {c.vocab_size, c.hidden_size});
    for (std::int64_t p = 0; p < kLength; ++p) {
      x_.emplace_back();
      for (std::int64_t i = 0; i < c.hidden_size; ++i) x_.back().push_back(std::sin(static_cast<float>(p * 31 + i * i)));
    }
  }
  NamedTensor input() const { return {"x", Tensor::of_floats({1, kLength, kConfig.hidden_size}, flat(x_))}; }

  CheckpointForTests checkpoint_;
  Rows x_;
};

TEST_F(Qwen2, LayersNormAndHeadAreThoseOfTheFormulas) {
  const Checkpoint checkpoint = checkpoint_.open().value();
  const Reference reference(checkpoint_);
  Rows hidden = reference.layer(x_, "model.layers.0");
  const std::vector<float> first = flat(hidden);
  hidden = reference.norm(reference.layer(hidden, "model.layers.1"), "model.norm");
  for (bool tied : {false, true}) {
    TextConfig config = kConfig;
    config.tie_word_embeddings = tied;
    Graph page("decoder");
    Value x = page.add_input("x", Dtype::kFloat32, {"batch_size", "length", config.hidden_size});
    const Module model(page, Weights(checkpoint));
    Value last = qwen2_decoder(x, config, model);
    page.add_output(page.find("model.layers.0"), "model.layers.0");
    page.add_output(last, "last");
    page.add_output(qwen2_lm_head(last, config, model), "logits");
    const auto outputs = run_page(page, {input()});
    const std::vector<float> logits = flat(reference.linear(hidden, tied ? "model.embed_tokens" : "lm_head"));
    EXPECT_LE(compare(outputs[0].tensor.floats(), first).max_relative, 2e-6);
    EXPECT_LE(compare(outputs[1].tensor.floats(), flat(hidden)).max_relative, 2e-6);
    EXPECT_LE(compare(outputs[2].tensor.floats(), logits).max_relative, 2e-6) << "tied: " << tied;
    EXPECT_EQ(outputs[2].tensor.shape, (Shape{1, kLength, config.vocab_size}));
  }
}

TEST_F(Qwen2, TheEmbeddingTakesRows) {
  const Checkpoint checkpoint = checkpoint_.open().value();
  Graph page("embedder");
  Value ids = page.add_input("ids", Dtype::kInt64, {"batch_size", "length"});
  page.add_output(qwen2_embed_tokens(ids, kConfig, Module(page, Weights(checkpoint))), "rows");
  const std::int64_t wanted[] = {8, 0, 3, 3};
  const auto outputs = run_page(page, {{"ids", Tensor::of_int64({2, 2}, wanted)}});
  ASSERT_EQ(outputs[0].tensor.shape, (Shape{2, 2, kConfig.hidden_size}));
  const auto table = checkpoint_.numbers("model.embed_tokens.weight");
  for (std::int64_t i = 0; i < 4 * kConfig.hidden_size; ++i)
    EXPECT_EQ(outputs[0].tensor.floats()[static_cast<std::size_t>(i)],
              table[static_cast<std::size_t>(wanted[i / kConfig.hidden_size] * kConfig.hidden_size + i % kConfig.hidden_size)]);
}

// The form with a cache has the same layers, each with its own slots.
TEST_F(Qwen2, EachCachedLayerHasItsOwnPast) {
  const Checkpoint checkpoint = checkpoint_.open().value();
  const TextConfig& c = kConfig;
  Graph page("cached");
  auto input = [&](const char* name, Dims dims) { return page.add_input(name, Dtype::kFloat32, std::move(dims)); };
  CachedInputs inputs{.begin = 0, .end = 2};
  Value hidden = input("hidden", {1, 1, c.hidden_size});
  inputs.positions = {
      .cos = input("cos", {1, 1, 1, c.head_dim / 2}), .sin = input("sin", {1, 1, 1, c.head_dim / 2}), .mask = input("mask", {1, 1, 1, 8})};
  for (const std::string i : {"0", "1"})
    inputs.past.push_back({input(("key_" + i).c_str(), {c.num_key_value_heads, 1, c.head_dim, 7}),
                           input(("value_" + i).c_str(), {c.num_key_value_heads, 1, 7, c.head_dim})});
  const CachedLayers layers = qwen2_cached_layers(hidden, inputs, c, Module(page, Weights(checkpoint)));
  ASSERT_EQ(layers.present.size(), 2u);
  EXPECT_EQ(layers.hidden.name(), "model.layers.1");
  std::vector<std::string> pasts;
  for (const Node& node : page.nodes())
    if (node.op == "cached_rotary_attention")
      pasts.push_back(node.name + " " + page.value(node.inputs[6]).name + " " + page.value(node.inputs[7]).name);
  EXPECT_EQ(pasts, (std::vector<std::string>{"model.layers.0.self_attn/cached_rotary_attention key_0 value_0",
                                             "model.layers.1.self_attn/cached_rotary_attention key_1 value_1"}));
}

}  // namespace
}  // namespace fastvlm::models
