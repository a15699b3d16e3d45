#include "fastvlm/tensor/weight.h"

#include <gtest/gtest.h>

#include <cmath>

#include <numeric>

namespace fastvlm {
namespace {

// rows x columns, the number at (r, c) is 100 r + c.
WeightPtr grid(Shape shape, std::int64_t rows, std::int64_t columns, std::vector<std::string> from = {"grid"}) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = rows;
  source->columns = columns;
  source->read = [](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    EXPECT_EQ(static_cast<std::int64_t>(out.size()), (r1 - r0) * (c1 - c0));
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = static_cast<float>(100 * r + c);
    return {};
  };
  return Weight::of_source(std::move(shape), std::move(source), std::move(from), "");
}
WeightPtr grid(std::int64_t rows, std::int64_t columns) { return grid({rows, columns}, rows, columns); }

std::vector<float> all(const WeightPtr& weight) { return weight->read_all().value(); }

std::vector<float> in_pieces(const WeightPtr& weight, std::int64_t step) {
  std::vector<float> values;
  for (std::int64_t row = 0; row < weight->row_count(); row += step) {
    const std::int64_t end = std::min(row + step, weight->row_count());
    std::vector<float> piece(static_cast<std::size_t>((end - row) * weight->row_size()));
    EXPECT_TRUE(weight->read_rows(row, end, piece).ok());
    values.insert(values.end(), piece.begin(), piece.end());
  }
  return values;
}

TEST(Weight, RecipesGiveTheNumbersThatTheyPromise) {
  EXPECT_EQ(all(grid(2, 3)), (std::vector<float>{0, 1, 2, 100, 101, 102}));
  EXPECT_EQ(all(grid(2, 3)->transposed()), (std::vector<float>{0, 100, 1, 101, 2, 102}));
  EXPECT_EQ(all(grid(2, 3)->scaled_rows({2, -1}, "scale")), (std::vector<float>{0, 2, 4, -100, -101, -102}));
  EXPECT_EQ(all(grid(2, 3)->scaled_rows({2, -1}, "scale")->transposed()), (std::vector<float>{0, -100, 2, -101, 4, -102}));
  EXPECT_EQ(all(grid(4, 2)->rows(1, 3)), (std::vector<float>{100, 101, 200, 201}));
  EXPECT_EQ(all(grid(4, 2)->rows(1, 3)->rows(1, 2)->transposed()), (std::vector<float>{200, 201}));
  EXPECT_EQ(all(grid(4, 2)->rows(2, 4)->scaled_rows({10, 0}, "scale")), (std::vector<float>{2000, 2010, 0, 0}));
  EXPECT_EQ(all(grid(2, 3)->reshaped({1, 6})), (std::vector<float>{0, 1, 2, 100, 101, 102}));
  EXPECT_EQ(all(Weight::of_values({2}, {5, 6}, "made")), (std::vector<float>{5, 6}));
  EXPECT_EQ(all(Weight::of_values({}, {7}, "made")), (std::vector<float>{7}));
}

TEST(Weight, PiecesOfAnySizeEqualTheWhole) {
  // 70 x 45 passes the borders of the tiles in which a transpose works.
  std::vector<float> factors(70);
  std::iota(factors.begin(), factors.end(), 1.0f);
  const WeightPtr base = grid(70, 45);
  const WeightPtr recipes[] = {base,
                               base->transposed(),
                               base->transposed()->transposed(),
                               base->scaled_rows(factors, "scale"),
                               base->scaled_rows(factors, "scale")->transposed(),
                               base->rows(3, 69),
                               base->rows(3, 69)->transposed(),
                               base->reshaped({7, 10, 45}),
                               grid({70, 5, 3, 3}, 70, 45)};
  for (const WeightPtr& recipe : recipes) {
    const std::vector<float> whole = all(recipe);
    ASSERT_EQ(static_cast<std::int64_t>(whole.size()), element_count(recipe->shape()));
    for (std::int64_t step : {1, 2, 31, 32, 33, 1000}) EXPECT_EQ(in_pieces(recipe, step), whole) << recipe->identity() << " by " << step;
  }
  EXPECT_EQ(all(base->transposed()->transposed()), all(base));
}

TEST(Weight, ShapesFollowTheRecipe) {
  EXPECT_EQ(grid(2, 3)->transposed()->shape(), (Shape{3, 2}));
  EXPECT_EQ(grid({6, 2, 3}, 6, 6)->rows(1, 3)->shape(), (Shape{2, 2, 3}));
  EXPECT_EQ(grid(2, 3)->reshaped({3, 2})->shape(), (Shape{3, 2}));
  EXPECT_EQ(grid(2, 3)->transposed()->row_count(), 3);
  EXPECT_EQ(grid(2, 3)->transposed()->row_size(), 2);
}

TEST(Weight, WhereItCameFromAndWhatWasDoneStayKnown) {
  const WeightPtr weight = grid(4, 3)->rows(0, 2)->scaled_rows({1, 2}, "fold attention scale")->transposed();
  EXPECT_EQ(weight->from(), (std::vector<std::string>{"grid"}));
  EXPECT_EQ(weight->done(), "rows 0..2, fold attention scale, transpose");
  EXPECT_EQ(grid(4, 3)->done(), "");
}

TEST(Weight, IdentitiesAreEqualForEqualRecipesAndDifferWhenNumbersOrLayoutDo) {
  const WeightPtr base = grid(4, 4);
  EXPECT_EQ(base->identity(), grid(4, 4)->identity());
  EXPECT_EQ(base->scaled_rows({1, 2, 3, 4}, "s")->identity(), grid(4, 4)->scaled_rows({1, 2, 3, 4}, "s")->identity());
  EXPECT_EQ(Weight::of_values({2}, {1, 2}, "made")->identity(), Weight::of_values({2}, {1, 2}, "made")->identity());
  const WeightPtr different[] = {base,
                                 grid({4, 4}, 4, 4, {"other"}),
                                 base->transposed(),
                                 base->rows(0, 2),
                                 base->rows(2, 4),
                                 base->reshaped({2, 8}),
                                 base->scaled_rows({1, 2, 3, 4}, "s"),
                                 base->scaled_rows({1, 2, 3, 5}, "s"),
                                 base->scaled_rows({1, 2, 3, 4}, "s")->scaled_rows({1, 2, 3, 4}, "s"),
                                 Weight::of_values({2}, {1, 2}, "made"),
                                 Weight::of_values({2}, {2, 1}, "made"),
                                 Weight::of_values({1, 2}, {1, 2}, "made")};
  for (std::size_t i = 0; i < std::size(different); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(different[i]->identity(), different[j]->identity()) << i << " and " << j;
}

TEST(Weight, ComputedNumbersAreMadeOnceAndOnlyWhenRead) {
  int made = 0;
  const WeightPtr weight = Weight::computed(
      {2, 2},
      [&]() -> Result<std::vector<float>> {
        ++made;
        return std::vector<float>{1, 2, 3, 4};
      },
      {"a", "b"}, "fold");
  EXPECT_EQ(made, 0);
  EXPECT_EQ(all(weight), (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(all(weight->transposed()), (std::vector<float>{1, 3, 2, 4}));
  EXPECT_EQ(made, 1);
}

TEST(Weight, AnErrorOfTheSourcePassesThroughEveryRecipe) {
  const WeightPtr bad =
      Weight::computed({2, 2}, []() -> Result<std::vector<float>> { return bad_input("tensor \"t\" is cut off"); }, {"t"}, "");
  for (const WeightPtr& weight : {bad, bad->transposed(), bad->scaled_rows({1, 1}, "s"), bad->rows(0, 1), bad->reshaped({4})}) {
    auto values = weight->read_all();
    ASSERT_FALSE(values.ok());
    EXPECT_EQ(values.error().message, "tensor \"t\" is cut off");
  }
}

TEST(WeightDeathTest, ARecipeThatMakesNoSenseIsOurBug) {
  EXPECT_DEATH((void)grid(2, 3)->reshaped({5}), "a reshape keeps the element count");
  EXPECT_DEATH((void)grid(2, 3)->rows(1, 3), "rows inside the tensor");
  EXPECT_DEATH((void)grid(2, 3)->scaled_rows({1}, "s"), "one factor for each row");
  // A transpose works on the rows of the source; after such a reshape they are no longer those of the shape.
  EXPECT_DEATH((void)grid(2, 6)->reshaped({3, 4})->transposed(), "in its own rows");
  EXPECT_DEATH((void)grid(2, 6)->reshaped({3, 4})->rows(0, 1), "rows inside the tensor");
}

std::shared_ptr<const MatrixSource> matrix(std::int64_t rows, std::int64_t columns, std::vector<float> values) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = rows;
  source->columns = columns;
  source->read = [columns, values = std::move(values)](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                       std::span<float> out) -> Status {
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = values[static_cast<std::size_t>(r * columns + c)];
    return {};
  };
  return source;
}

std::vector<float> waves(std::int64_t count, double step) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(std::sin(step * static_cast<double>(i)));
  return values;
}

TEST(Weight, AnUpdateOfLowRankIsAddedWhateverPieceIsRead) {
  const std::int64_t rows = 37, columns = 53, rank = 5;
  const float scale = 1.75F;
  const auto base = waves(rows * columns, 0.37), left = waves(rows * rank, 0.91), right = waves(rank * columns, 1.3);
  auto weight =
      Weight::of_source({rows, columns}, matrix(rows, columns, base), {"w"}, "")
          ->plus({.left = matrix(rows, rank, left), .right = matrix(rank, columns, right), .scale = scale, .from = {"a", "b"}}, "add lora");
  EXPECT_EQ(weight->from(), (std::vector<std::string>{"w", "a", "b"}));
  EXPECT_EQ(weight->done(), "add lora");
  const std::vector<float> whole = weight->read_all().value();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c) {
      double sum = 0;
      for (std::int64_t k = 0; k < rank; ++k)
        sum += double{left[static_cast<std::size_t>(r * rank + k)]} * right[static_cast<std::size_t>(k * columns + c)];
      const auto at = static_cast<std::size_t>(r * columns + c);
      ASSERT_NEAR(whole[at], base[at] + scale * sum, 2e-6) << r << " " << c;
    }
  // Pieces, rows of rows, and the transposed reading give the same bits.
  std::vector<float> piece(static_cast<std::size_t>(4 * columns));
  ASSERT_TRUE(weight->read_rows(11, 15, piece).ok());
  EXPECT_TRUE(std::equal(piece.begin(), piece.end(), whole.begin() + 11 * columns));
  EXPECT_EQ(weight->rows(11, 15)->read_all().value(), piece);
  const auto turned = weight->transposed()->read_all().value();
  for (std::int64_t r = 0; r < rows; ++r)
    for (std::int64_t c = 0; c < columns; ++c)
      ASSERT_EQ(turned[static_cast<std::size_t>(c * rows + r)], whole[static_cast<std::size_t>(r * columns + c)]);
}

TEST(Weight, ATransposedSourceReadsTheSameNumbersTheOtherWay) {
  auto source = transposed_source(matrix(2, 3, {0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(source->rows, 3);
  EXPECT_EQ(source->columns, 2);
  std::vector<float> part(2);
  ASSERT_TRUE(source->read(1, 3, 1, 2, part).ok());
  EXPECT_EQ(part, (std::vector<float>{4, 5}));
}

}  // namespace
}  // namespace fastvlm
