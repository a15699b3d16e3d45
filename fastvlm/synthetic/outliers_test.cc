#include "fastvlm/synthetic/outliers.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "fastvlm/synthetic/checkpoint.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

const std::string kLayer = "model.layers.1.";

// Four heads of queries over two of keys, each of 16.
OutlierModel model() {
  OutlierModel model{.seed = 3, .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16};
  for (const char* name : {"q_proj", "k_proj", "v_proj", "o_proj"}) model.names.insert(kLayer + "self_attn." + name + ".weight");
  for (const char* name : {"gate_proj", "up_proj", "down_proj"}) model.names.insert(kLayer + "mlp." + name + ".weight");
  model.names.insert(kLayer + "input_layernorm.weight");
  model.names.insert(kLayer + "post_attention_layernorm.weight");
  return model;
}

ChannelPowers powers_of(const char* name, const Shape& shape) { return outlier_powers(model(), kLayer + name, shape); }

TEST(OutlierPowers, WhatIsMadeLargerIsReadSmaller) {
  const auto norm = powers_of("input_layernorm.weight", {64}).rows;
  EXPECT_EQ(std::ranges::count(norm, 5), 1);
  for (const char* name : {"self_attn.q_proj.weight", "self_attn.k_proj.weight", "self_attn.v_proj.weight"}) {
    const auto columns = powers_of(name, {std::string_view(name).find("q_proj") == std::string_view::npos ? 32 : 64, 64}).columns;
    for (std::size_t i = 0; i < norm.size(); ++i) EXPECT_EQ(columns[i], -norm[i]) << name << " " << i;
  }
  const auto up = powers_of("mlp.up_proj.weight", {128, 64}).rows, down = powers_of("mlp.down_proj.weight", {64, 128}).columns;
  EXPECT_EQ(std::ranges::count(up, 5), 2);
  for (std::size_t i = 0; i < up.size(); ++i) EXPECT_EQ(down[i], -up[i]) << i;
}

TEST(OutlierPowers, BothChannelsThatARotaryEmbeddingTurnsAreTheSameInEveryHead) {
  const auto keys = powers_of("self_attn.k_proj.weight", {32, 64}).rows, queries = powers_of("self_attn.q_proj.weight", {64, 64}).rows;
  const auto values = powers_of("self_attn.v_proj.weight", {32, 64}).rows, read = powers_of("self_attn.o_proj.weight", {64, 64}).columns;
  EXPECT_EQ(std::ranges::count(keys, 5), 2);
  EXPECT_EQ(std::ranges::count(values, 5), 1);
  for (std::size_t head = 0; head < 4; ++head)
    for (std::size_t i = 0; i < 16; ++i) {
      EXPECT_EQ(keys[head / 2 * 16 + i], keys[head / 2 * 16 + i % 8]) << head << " " << i;
      EXPECT_EQ(queries[head * 16 + i], -keys[head / 2 * 16 + i]) << head << " " << i;
      EXPECT_EQ(read[head * 16 + i], -values[head / 2 * 16 + i]) << head << " " << i;
    }
}

TEST(OutlierPowers, AGroupWithoutOneOfItsReadersHasNone) {
  OutlierModel part = model();
  part.names.erase(kLayer + "mlp.down_proj.weight");
  EXPECT_TRUE(outlier_powers(part, kLayer + "mlp.up_proj.weight", {128, 64}).rows.empty());
  EXPECT_FALSE(outlier_powers(part, kLayer + "mlp.up_proj.weight", {128, 64}).columns.empty());
  EXPECT_TRUE(outlier_powers(part, "model.norm.weight", {64}).rows.empty());
}

TEST(MultiplyChannels, GivesEachPieceOfATensorItsOwnRowsAndColumns) {
  const ChannelPowers powers{.rows = {0, 2}, .columns = {0, 0, -1}};
  std::vector<float> numbers(12, 1.0f);  // two rows of three columns of two taps
  ASSERT_TRUE(multiply_channels(powers, {.dtype = Dtype::kFloat32, .shape = {2, 3, 2}, .first = 0},
                                std::as_writable_bytes(std::span(numbers).first(5)), "w")
                  .ok());
  ASSERT_TRUE(multiply_channels(powers, {.dtype = Dtype::kFloat32, .shape = {2, 3, 2}, .first = 5},
                                std::as_writable_bytes(std::span(numbers).subspan(5)), "w")
                  .ok());
  EXPECT_EQ(numbers, (std::vector<float>{1, 1, 1, 1, 0.5f, 0.5f, 4, 4, 4, 4, 2, 2}));
}

TEST(MultiplyChannels, ANumberThatLeavesItsTypeIsAnError) {
  std::uint16_t half = float_to_float16(40000);
  const auto status = multiply_channels({.rows = {1}}, {.dtype = Dtype::kFloat16, .shape = {1}, .first = 0},
                                        std::as_writable_bytes(std::span(&half, 1)), "the tensor");
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("the tensor: a number times 2^1 is none of float16"), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace fastvlm
