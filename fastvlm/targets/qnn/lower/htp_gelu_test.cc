// The forms of GELU: the same function, and what stands in front of the chain that the plug-in takes for one operator.
#include <cmath>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/semantic.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/targets/qnn/lower/htp_expansions.h"
#include "fastvlm/tensor/compare.h"

namespace fastvlm::qnn {
namespace {

constexpr std::int64_t kCount = 65;

struct Form {
  ops::GeluForm form;
  std::vector<std::string> in_front, behind;
};
const Form kForms[] = {{.form = ops::GeluForm::kJoined, .in_front = {}, .behind = {}},
                       {.form = ops::GeluForm::kFast, .in_front = {"Clip"}, .behind = {}},
                       {.form = ops::GeluForm::kExact, .in_front = {"Relu", "Abs", "Neg"}, .behind = {"Add"}}};

// gelu(x W^T) with a W of ones: x is one number in each row, which the layer hands on.
std::unique_ptr<Graph> expanded(ops::GeluForm form) {
  Graph graph("gelu");
  Value x = graph.add_input("x", Dtype::kFloat32, {1, kCount, 1});
  graph.add_output(ops::gelu(ops::linear(x, Weight::of_values({1, 1}, {1}, "one"))), "y");
  return ops::expand(graph, htp_expansions(), nullptr, {.otherwise = {.form = form}});
}

TEST(HtpGelu, FormsDifferInWhatStandsAroundTheChain) {
  for (const Form& form : kForms) {
    std::vector<std::string> expected = form.in_front, seen;
    for (const char* op : {"Div", "Erf", "Add", "Mul", "Mul"}) expected.emplace_back(op);
    expected.insert(expected.end(), form.behind.begin(), form.behind.end());
    const auto graph = expanded(form.form);
    for (const Node& node : graph->nodes())
      if (node.op != "MatMul") seen.push_back(node.op);
    EXPECT_EQ(seen, expected) << ops::name(form.form);
  }
}

TEST(HtpGelu, EveryFormIsTheSameFunction) {
  std::vector<float> numbers, expected;
  for (int i = 0; i < kCount; ++i) {
    const double x = 0.5 * (i - 32);
    numbers.push_back(static_cast<float>(x));
    expected.push_back(static_cast<float>(x / 2 * (1 + std::erf(x / std::sqrt(2.0)))));
  }
  for (const Form& form : kForms) {
    FolderForTests folder;
    const Path path = folder.write("graph.onnx", to_onnx(*expanded(form.form), {}, {}).value());
    auto runner = OrtRunner::open(onnxruntime_for_tests(), path, {.threads = 1});
    ASSERT_TRUE(runner.ok()) << runner.error().message;
    const NamedTensor input{"x", Tensor::of_floats({1, kCount, 1}, numbers)};
    const auto outputs = run(**runner, {&input, 1});
    ASSERT_TRUE(outputs.ok()) << outputs.error().message;
    EXPECT_LE(compare(outputs->at(0).tensor.floats(), expected).max_relative, 1e-6) << ops::name(form.form);
  }
}

}  // namespace
}  // namespace fastvlm::qnn
