// What a folded convolution computes must be what its branches compute one by one. Both are evaluated here in double
// precision, on a small map with other heights than widths.
#include "fastvlm/checkpoint/fuse.h"

#include <cmath>

#include "fastvlm/base/model_error.h"
#include "fastvlm/checkpoint/checkpoint_for_tests.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kHeight = 4, kWidth = 5;

using Map = std::vector<double>;  // [channels, kHeight, kWidth]

double at(const Map& map, std::int64_t channel, std::int64_t y, std::int64_t x) {
  if (y < 0 || y >= kHeight || x < 0 || x >= kWidth) return 0;
  return map[static_cast<std::size_t>((channel * kHeight + y) * kWidth + x)];
}

// weight [out, in / groups, kernel, kernel], as PyTorch lays it out; the map keeps its size.
Map convolved(const Map& map, const std::vector<double>& weight, const ConvShape& shape) {
  Map result;
  const std::int64_t width = shape.group_width(), k = shape.kernel, per_group = shape.out_channels / shape.groups;
  for (std::int64_t o = 0; o < shape.out_channels; ++o)
    for (std::int64_t y = 0; y < kHeight; ++y)
      for (std::int64_t x = 0; x < kWidth; ++x) {
        double sum = 0;
        for (std::int64_t i = 0; i < width; ++i)
          for (std::int64_t dy = 0; dy < k; ++dy)
            for (std::int64_t dx = 0; dx < k; ++dx)
              sum += weight[static_cast<std::size_t>(((o * width + i) * k + dy) * k + dx)] *
                     at(map, o / per_group * width + i, y + dy - k / 2, x + dx - k / 2);
        result.push_back(sum);
      }
  return result;
}

// y[c] = y[c] * factor[c] + shift[c]
void scale(Map& map, const std::vector<double>& factor, const std::vector<double>& shift) {
  for (std::size_t i = 0; i < map.size(); ++i) {
    const std::size_t c = i / static_cast<std::size_t>(kHeight * kWidth);
    map[i] = map[i] * factor[c] + shift[c];
  }
}

void add(Map& sum, const Map& other, double factor = 1) {
  sum.resize(other.size());
  for (std::size_t i = 0; i < other.size(); ++i) sum[i] += factor * other[i];
}

class Fuse : public testing::Test {
 protected:
  Fuse() {
    for (std::int64_t i = 0; i < 8 * kHeight * kWidth; ++i) input_.push_back(std::sin(static_cast<double>(i * i)));
  }

  static std::string full(const std::string& name) { return "model.vision_tower.timm_model.stages.0." + name; }
  static std::vector<double> zeros(std::int64_t count) { return std::vector<double>(static_cast<std::size_t>(count)); }
  Map input(std::int64_t channels) const { return {input_.begin(), input_.begin() + channels * kHeight * kWidth}; }

  // Variances around the epsilon of 1e-5, so that another one shows.
  void add_batch_norm(const std::string& name, std::int64_t channels) {
    checkpoint_.add(full(name) + ".weight", {channels}, 0.5f, 1.5f);
    checkpoint_.add(full(name) + ".bias", {channels});
    checkpoint_.add(full(name) + ".running_mean", {channels});
    checkpoint_.add(full(name) + ".running_var", {channels}, 1e-6f, 4e-5f);
  }
  void add_branch(const std::string& name, ConvShape shape, std::int64_t kernel) {
    shape.kernel = kernel;
    checkpoint_.add(full(name) + ".conv.weight", shape.weight(), -0.01f, 0.01f);
    add_batch_norm(name + ".bn", shape.out_channels);
  }
  std::vector<double> numbers(const std::string& name) const { return checkpoint_.numbers(full(name)); }

  // (y - mean) / sqrt(var + 1e-5) * gamma + beta
  void normalise(Map& map, const std::string& name) const {
    const auto gamma = numbers(name + ".weight"), beta = numbers(name + ".bias"), mean = numbers(name + ".running_mean");
    auto factor = numbers(name + ".running_var"), shift = beta;
    for (std::size_t c = 0; c < gamma.size(); ++c) {
      factor[c] = gamma[c] / std::sqrt(factor[c] + 1e-5);
      shift[c] -= mean[c] * factor[c];
    }
    scale(map, factor, shift);
  }
  // bn(conv(input))
  Map branch(const std::string& name, ConvShape shape, std::int64_t kernel) const {
    shape.kernel = kernel;
    Map map = convolved(input(shape.in_channels), numbers(name + ".conv.weight"), shape);
    normalise(map, name + ".bn");
    return map;
  }
  Map normalised_input(const std::string& name, std::int64_t channels) const {
    Map map = input(channels);
    normalise(map, name);
    return map;
  }

  using Kernel = ConvWeights (*)(const Weights&, const ConvShape&);
  void expect_equal(Kernel kernel, const ConvShape& shape, const Map& expected, const std::string& what = "") {
    const Checkpoint checkpoint = checkpoint_.open().value();
    const ConvWeights weights = kernel(Weights(checkpoint).at("model.vision_tower.stages.0.unit"), shape);
    const auto weight = weights.weight->read_all().value(), bias = weights.bias->read_all().value();
    Map actual = convolved(input(shape.in_channels), {weight.begin(), weight.end()}, shape);
    scale(actual, std::vector<double>(bias.size(), 1), {bias.begin(), bias.end()});
    double largest = 0, difference = 0;
    ASSERT_EQ(actual.size(), expected.size()) << what;
    for (std::size_t i = 0; i < actual.size(); ++i) {
      largest = std::max(largest, std::abs(expected[i]));
      difference = std::max(difference, std::abs(actual[i] - expected[i]));
    }
    EXPECT_LE(difference, 1e-6 * largest) << what;
  }

  CheckpointForTests checkpoint_;
  Map input_;
};

TEST_F(Fuse, MobileOneIsTheSumOfItsBranches) {
  struct Case {
    const char* what;
    ConvShape shape;
    int kernels;  // conv_kxk.{n}
    bool scale, identity;
  };
  for (const Case& c : {Case{"dense", {.in_channels = 4, .out_channels = 4, .kernel = 3}, 1, true, true},
                        Case{"depthwise", {.in_channels = 4, .out_channels = 4, .kernel = 3, .groups = 4}, 2, true, true},
                        Case{"two outputs a channel", {.in_channels = 4, .out_channels = 8, .kernel = 3, .groups = 4}, 1, true, false},
                        Case{"two groups", {.in_channels = 4, .out_channels = 4, .kernel = 3, .groups = 2}, 1, false, true},
                        Case{"pointwise", {.in_channels = 6, .out_channels = 6}, 1, false, true}}) {
    checkpoint_.clear();
    Map expected;
    for (int n = 0; n < c.kernels; ++n) {
      const std::string name = "unit.conv_kxk." + std::to_string(n);
      add_branch(name, c.shape, c.shape.kernel);
      add(expected, branch(name, c.shape, c.shape.kernel));
    }
    if (c.scale) {
      add_branch("unit.conv_scale", c.shape, 1);
      add(expected, branch("unit.conv_scale", c.shape, 1));
    }
    if (c.identity) {
      add_batch_norm("unit.identity", c.shape.out_channels);
      add(expected, normalised_input("unit.identity", c.shape.out_channels));
    }
    expect_equal(mobile_one_conv, c.shape, expected, c.what);
  }
}

TEST_F(Fuse, TheLargeKernelHoldsTheSmallOneInItsMiddle) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 8, .kernel = 7, .groups = 4};
  add_branch("unit.large_conv", shape, 7);
  add_branch("unit.small_conv", shape, 3);
  Map expected = branch("unit.large_conv", shape, 7);
  add(expected, branch("unit.small_conv", shape, 3));
  expect_equal(large_kernel_conv, shape, expected);
}

// x + layer_scale * (mixer(x) - norm(x))
TEST_F(Fuse, TheRepMixerTakesItsNormAwayAndKeepsItsInput) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 4, .kernel = 3, .groups = 4};
  add_branch("unit.mixer.conv_kxk.0", shape, 3);
  add_branch("unit.mixer.conv_scale", shape, 1);
  add_batch_norm("unit.mixer.identity", 4);
  add_batch_norm("unit.norm.identity", 4);
  checkpoint_.add(full("unit.layer_scale.gamma"), {4, 1, 1});
  Map expected = branch("unit.mixer.conv_kxk.0", shape, 3);
  add(expected, branch("unit.mixer.conv_scale", shape, 1));
  add(expected, normalised_input("unit.mixer.identity", 4));
  add(expected, normalised_input("unit.norm.identity", 4), -1);
  scale(expected, numbers("unit.layer_scale.gamma"), zeros(4));
  add(expected, input(4));
  expect_equal(rep_mixer_conv, shape, expected);
}

// x + pos_enc(x)
TEST_F(Fuse, ThePositionalConvolutionKeepsItsInput) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 4, .kernel = 7, .groups = 4};
  checkpoint_.add(full("unit.pos_enc.weight"), shape.weight());
  checkpoint_.add(full("unit.pos_enc.bias"), {4});
  Map expected = convolved(input(4), numbers("unit.pos_enc.weight"), shape);
  scale(expected, {1, 1, 1, 1}, numbers("unit.pos_enc.bias"));
  add(expected, input(4));
  expect_equal(positional_conv, shape, expected);
}

TEST_F(Fuse, ABatchNormBehindAConvolutionIsFolded) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 4, .kernel = 7, .groups = 4};
  add_branch("unit", shape, 7);
  expect_equal(batch_norm_conv, shape, branch("unit", shape, 7));
}

// The fused form wins where both are stored, and is read as it is.
TEST_F(Fuse, AFusedKernelIsTakenAsItIs) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 4, .kernel = 7, .groups = 4};
  checkpoint_.add(full("unit.reparam_conv.weight"), shape.weight());
  checkpoint_.add(full("unit.reparam_conv.bias"), {4});
  for (const char* name : {"unit.large_conv", "unit.conv_kxk.0", "unit.mixer.conv_kxk.0"}) add_branch(name, shape, 7);
  Map expected = convolved(input(4), numbers("unit.reparam_conv.weight"), shape);
  scale(expected, {1, 1, 1, 1}, numbers("unit.reparam_conv.bias"));
  for (Kernel kernel : {mobile_one_conv, large_kernel_conv, rep_mixer_conv, positional_conv}) expect_equal(kernel, shape, expected);
}

TEST_F(Fuse, WhatCannotBeFoldedIsNamed) {
  const ConvShape shape = {.in_channels = 4, .out_channels = 4, .kernel = 3, .groups = 4};
  auto message = [&] {
    const Checkpoint checkpoint = checkpoint_.open().value();
    try {
      mobile_one_conv(Weights(checkpoint).at("model.vision_tower.stages.0.unit"), shape);
    } catch (const ModelError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  checkpoint_.add(full("other.weight"), {1});
  EXPECT_NE(message().find("neither a fused convolution"), std::string::npos) << message();
  add_branch("unit.conv_kxk.0", shape, 3);
  checkpoint_.add(full("unit.conv_kxk.0.bn.running_var"), {4}, -2, -1);
  EXPECT_NE(message().find("a variance cannot be negative"), std::string::npos) << message();
  checkpoint_.add(full("unit.conv_kxk.0.conv.weight"), {4, 4, 3, 3});
  EXPECT_NE(message().find("has shape [4, 4, 3, 3], expected [4, 1, 3, 3]"), std::string::npos) << message();
}

}  // namespace
}  // namespace fastvlm
