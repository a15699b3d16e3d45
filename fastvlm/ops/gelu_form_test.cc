#include "fastvlm/ops/gelu_form.h"

#include <gtest/gtest.h>

#include "fastvlm/ops/rescale.h"
#include "fastvlm/ops/semantic.h"

namespace fastvlm::ops {
namespace {

// One GELU behind a layer called "up", one behind a sum.
std::unique_ptr<Graph> two_gelus() {
  auto graph = std::make_unique<Graph>("two");
  const WeightPtr weight = Weight::of_values({4, 4}, std::vector<float>(16, 0.5F), "half");
  Value x = graph->add_input("x", Dtype::kFloat32, {1, 2, 4});
  Value first = [&] {
    Scope scope(*graph, "up");
    return gelu(linear(x, weight));
  }();
  Scope scope(*graph, "down");
  graph->add_output(gelu(add(first, x)), "y");
  return graph;
}

std::vector<GeluForm> forms_of(const Graph& graph, const GeluForms& forms) {
  std::vector<GeluForm> chosen;
  for (const ChosenGelu& gelu : chosen_gelus(graph, forms)) chosen.push_back(gelu.form);
  return chosen;
}

using enum GeluForm;

TEST(GeluForm, WithoutAWishAllAreExactAndNamed) {
  const auto chosen = chosen_gelus(*two_gelus(), {});
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[0].name, "up/gelu");
  EXPECT_EQ(chosen[1].name, "down/gelu");
  for (const ChosenGelu& gelu : chosen) EXPECT_EQ(gelu.form, kExact);
  EXPECT_EQ(chosen[0].why, "no ranges are known");
}

TEST(GeluForm, OneForAllAndAnotherByItsModule) {
  const auto graph = two_gelus();
  EXPECT_EQ(forms_of(*graph, {.otherwise = {.form = kFast}}), (std::vector{kFast, kFast}));
  EXPECT_EQ(forms_of(*graph, {.of = {{"down", {.form = kFast}}}}), (std::vector{kExact, kFast}));
  EXPECT_EQ(forms_of(*graph, {.otherwise = {.form = kFast}, .of = {{"up", {.form = kJoined}}}}), (std::vector{kJoined, kFast}));
}

TEST(GeluForm, WithoutALayerInFrontNothingIsJoined) {
  const auto chosen = chosen_gelus(*two_gelus(), {.otherwise = {.form = kJoined, .why = "inputs reach 90"}});
  EXPECT_EQ(chosen[0].form, kJoined);
  EXPECT_EQ(chosen[1].form, kExact);
  EXPECT_EQ(chosen[1].why, "inputs reach 90, and no layer is in front");
}

TEST(GeluForm, OneInAScaledStreamIsExact) {
  const auto scaled = rescaled(*two_gelus(), {{"up/linear:0", 3}, {"up/gelu:0", 3}, {"down/Add:0", 3}});
  const auto chosen = chosen_gelus(*scaled, {.otherwise = {.form = kFast}});
  ASSERT_EQ(chosen.size(), 2u);
  EXPECT_EQ(chosen[0].form, kExact);
  EXPECT_EQ(chosen[0].why, "its stream is scaled");
}

}  // namespace
}  // namespace fastvlm::ops
