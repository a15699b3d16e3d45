#include "fastvlm/synthetic/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "fastvlm/checkpoint/dialect.h"

namespace fastvlm {
namespace {

struct Expected {
  CheckpointSize size;
  std::uint64_t apple_tensors, apple_parameters, hf_tensors;
};
// Counted in the published checkpoints (Apple) and in what transformers keeps of them.
constexpr std::array kExpected = {
    Expected{CheckpointSize::kTiny, 150, 506'512, 148},
    Expected{CheckpointSize::k0_5b, 924, 758'833'760, 922},
    Expected{CheckpointSize::k1_5b, 972, 1'909'278'176, 970},
    Expected{CheckpointSize::k7b, 972, 7'764'588'000, 971},
};

std::size_t count_of(const std::vector<MadeTensor>& tensors, std::string_view prefix) {
  return static_cast<std::size_t>(
      std::count_if(tensors.begin(), tensors.end(), [&](const MadeTensor& t) { return t.declaration.name.starts_with(prefix); }));
}

TEST(MadeLayout, TensorsAndParametersAgreeWithThePublishedCheckpoints) {
  for (const Expected& row : kExpected) {
    const auto apple = checkpoint_tensors(row.size, CheckpointDialect::kApple);
    std::uint64_t parameters = 0;
    for (const MadeTensor& tensor : apple)
      if (is_float(tensor.declaration.dtype)) parameters += static_cast<std::uint64_t>(element_count(tensor.declaration.shape));
    EXPECT_EQ(apple.size(), row.apple_tensors) << facts(row.size).name;
    EXPECT_EQ(parameters, row.apple_parameters) << facts(row.size).name;
    EXPECT_EQ(checkpoint_tensors(row.size, CheckpointDialect::kHf).size(), row.hf_tensors) << facts(row.size).name;
  }
}

TEST(MadeLayout, TheTowerHas629TensorsAtAppleAnd628InTransformers) {
  EXPECT_EQ(count_of(checkpoint_tensors(CheckpointSize::k7b, CheckpointDialect::kApple), "model.vision_tower."), 629u);
  EXPECT_EQ(count_of(checkpoint_tensors(CheckpointSize::k7b, CheckpointDialect::kHf), "model.vision_tower."), 628u);
}

TEST(MadeLayout, BothDialectsNameTheSameTensors) {
  for (const CheckpointSizeFacts& size : kCheckpointSizes) {
    std::map<std::string, std::string> apple, hf;  // canonical name to key
    for (const MadeTensor& t : checkpoint_tensors(size.size, CheckpointDialect::kApple)) apple[canonical_name(t.declaration.name)] = t.key;
    for (const MadeTensor& t : checkpoint_tensors(size.size, CheckpointDialect::kHf)) hf[canonical_name(t.declaration.name)] = t.key;
    std::erase_if(apple, [&](const auto& row) { return row.first.ends_with("head.proj") || (size.tied && row.first == "lm_head.weight"); });
    EXPECT_EQ(apple, hf) << size.name;
  }
}

// The names and shapes of a checkpoint that the reference implementation loads.
TEST(MadeLayout, TinyHasTheNamesAndShapesOfTheGoldenCheckpoint) {
  auto file = InputFile::open(Path(FASTVLM_TEST_DATA) / "golden/apple-tied/checkpoint/model.safetensors");
  ASSERT_TRUE(file.ok());
  auto golden = read_safetensors_header(*file);
  ASSERT_TRUE(golden.ok());
  std::map<std::string, std::pair<Dtype, Shape>> expected, made;
  for (const SafetensorsEntry& t : golden->tensors) expected[t.name] = {t.dtype, t.shape};
  for (const MadeTensor& t : checkpoint_tensors(CheckpointSize::kTiny, CheckpointDialect::kApple))
    made[t.declaration.name] = {t.declaration.dtype, t.declaration.shape};
  EXPECT_EQ(made, expected);
}

TEST(MadeLayout, TinyHasTheConfigOfTheGoldenCheckpoint) {
  auto golden = read_json_file(Path(FASTVLM_TEST_DATA) / "golden/apple-tied/checkpoint/config.json");
  ASSERT_TRUE(golden.ok());
  EXPECT_EQ(Json::parse(checkpoint_config(CheckpointSize::kTiny, CheckpointDialect::kApple).dump()), *golden);
}

TEST(MadeLayout, The7bModelIsCutLikeThePublishedOne) {
  const auto shards = checkpoint_shards(checkpoint_tensors(CheckpointSize::k7b, CheckpointDialect::kApple));
  ASSERT_EQ(shards.size(), 4u);
  EXPECT_EQ(shards[3].file, "model-00004-of-00004.safetensors");
  std::vector<double> gigabytes;
  for (const MadeShard& shard : shards)
    gigabytes.push_back(std::accumulate(shard.tensors.begin(), shard.tensors.end(), 0.0, [](double sum, const MadeTensor& t) {
      return sum + static_cast<double>(element_count(t.declaration.shape)) * static_cast<double>(byte_size(t.declaration.dtype)) / 1e9;
    }));
  EXPECT_NEAR(gigabytes[0], 4.88, 0.01);
  EXPECT_NEAR(gigabytes[1], 4.93, 0.01);
  EXPECT_EQ(checkpoint_shards(checkpoint_tensors(CheckpointSize::k1_5b, CheckpointDialect::kApple)).size(), 1u);
}

TEST(MadeLayout, NamesAreThoseOfTheCommandLine) {
  EXPECT_EQ(checkpoint_size_from("1.5b"), CheckpointSize::k1_5b);
  EXPECT_EQ(checkpoint_size_from("3b"), std::nullopt);
  EXPECT_EQ(checkpoint_dialect_from("hf"), CheckpointDialect::kHf);
  EXPECT_EQ(checkpoint_dialect_from("Apple"), std::nullopt);
}

}  // namespace
}  // namespace fastvlm
