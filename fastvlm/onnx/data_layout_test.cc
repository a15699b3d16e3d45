#include "fastvlm/onnx/data_layout.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

WeightPtr weight(std::int64_t elements, float first) {
  std::vector<float> values(static_cast<std::size_t>(elements), 1.0f);
  if (!values.empty()) values[0] = first;
  return Weight::of_values({elements}, std::move(values), "test");
}

TEST(DataLayout, EqualNumbersInOneTypeHaveOnePlace) {
  DataLayout layout;
  layout.place(weight(1000, 1), "a", Dtype::kFloat32, "a.data");
  layout.place(weight(1000, 1), "b", Dtype::kFloat32, "b.data");
  ASSERT_EQ(layout.weights().size(), 1u);
  EXPECT_EQ(layout.weights()[0].name, "a") << "after the one that asked first";
  EXPECT_EQ(layout.find(weight(1000, 1), Dtype::kFloat32)->file, "a.data");
  EXPECT_FALSE(layout.file_sizes().contains("b.data"));
  layout.place(weight(1000, 1), "half", Dtype::kFloat16, "a.data");
  layout.place(weight(1000, 2), "other", Dtype::kFloat32, "a.data");
  EXPECT_EQ(layout.weights().size(), 3u);
  EXPECT_EQ(layout.find(weight(1000, 3), Dtype::kFloat32), nullptr);
}

TEST(DataLayout, EveryWeightBeginsOnAPageAndTheFileEndsWithTheLast) {
  DataLayout layout;
  const std::int64_t sizes[] = {1, 1024, 1025, 3000, 7};
  std::uint64_t end = 0;
  for (std::size_t i = 0; i < std::size(sizes); ++i) {
    layout.place(weight(sizes[i], static_cast<float>(i)), "w", i % 2 == 0 ? Dtype::kFloat32 : Dtype::kFloat16, "one.data");
    const WeightPlace& place = layout.weights().back().place;
    EXPECT_EQ(place.offset % kDataAlignment, 0u);
    EXPECT_GE(place.offset, end);
    EXPECT_LT(place.offset - end, kDataAlignment);
    EXPECT_EQ(place.bytes, static_cast<std::uint64_t>(sizes[i]) * (i % 2 == 0 ? 4 : 2));
    end = place.offset + place.bytes;
  }
  EXPECT_EQ(layout.file_sizes().at("one.data"), end);
}

TEST(DataLayout, AGraphKeepsSmallWeightsInside) {
  Graph graph("g");
  graph.add_weight(weight(256, 1), "exactly 1 KiB");
  graph.add_weight(weight(257, 2), "more");
  graph.add_weight(weight(512, 3), "1 KiB in half precision", Dtype::kFloat16);
  DataLayout layout;
  layout.place_graph(graph, "g.data");
  ASSERT_EQ(layout.weights().size(), 1u);
  EXPECT_EQ(layout.weights()[0].name, "more");
  EXPECT_EQ(layout.find(weight(256, 1), Dtype::kFloat32), nullptr);
  layout.place_graph(graph, "again.data");
  EXPECT_EQ(layout.weights().size(), 1u);
}

}  // namespace
}  // namespace fastvlm
