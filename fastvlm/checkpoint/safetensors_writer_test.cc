#include "fastvlm/checkpoint/safetensors_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace fastvlm {
namespace {

Path scratch(const char* name) { return Path(testing::TempDir()) / fmt::format("{}-{}", name, ::getpid()); }

TEST(SafetensorsWriter, WhatIsWrittenReadsBackWithItsMetadata) {
  const Path path = scratch("writer.safetensors");
  const std::vector<NamedTensor> tensors = {{"b \"quoted\"", Tensor::of_floats({2, 1}, std::array{1.5f, -2.0f})},
                                            {"half", Tensor::zeros(Dtype::kBfloat16, {3})},
                                            {"scalar", Tensor::of_int64({}, std::array<std::int64_t, 1>{7})},
                                            {"empty", Tensor::of_floats({0, 4}, {})}};
  ASSERT_TRUE(write_safetensors(path, tensors, {{"format", "pt"}}).ok());
  std::map<std::string, std::string> metadata;
  auto read = read_safetensors(path, &metadata);
  std::filesystem::remove(path);
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(metadata.at("format"), "pt");
  ASSERT_EQ(read->size(), tensors.size());
  for (const NamedTensor& tensor : tensors) {
    auto at = std::find_if(read->begin(), read->end(), [&](const NamedTensor& t) { return t.name == tensor.name; });
    ASSERT_NE(at, read->end()) << tensor.name;
    EXPECT_EQ(at->tensor.shape, tensor.tensor.shape);
    EXPECT_EQ(at->tensor.bytes, tensor.tensor.bytes);
  }
}

TEST(SafetensorsWriter, TheLayoutIsAlignedAndDoesNotDependOnTheOrderGiven) {
  const std::vector<TensorDeclaration> one = {{"a", Dtype::kUint8, {3}}, {"z", Dtype::kInt64, {}}, {"m", Dtype::kFloat16, {5}}};
  const std::vector<TensorDeclaration> other = {one[2], one[0], one[1]};
  const SafetensorsLayout layout = lay_out_safetensors(one, {});
  EXPECT_EQ(layout.header, lay_out_safetensors(other, {}).header);
  EXPECT_EQ(layout.header.size() % 8, 0u);
  for (const SafetensorsEntry& tensor : layout.tensors) EXPECT_EQ(tensor.offset % byte_size(tensor.dtype), 0u) << tensor.name;
  EXPECT_EQ(layout.file_size, layout.header.size() + 3 + 8 + 10);
}

TEST(SafetensorsWriter, AFolderThatDoesNotExistIsAnError) { EXPECT_FALSE(write_safetensors("/nonexistent/a.safetensors", {}, {}).ok()); }

}  // namespace
}  // namespace fastvlm
