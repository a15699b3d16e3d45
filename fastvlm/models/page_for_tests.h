// Runs a model page as plain ONNX on ONNX Runtime.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fastvlm/onnx/writer.h"
#include "fastvlm/ops/reference.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"

namespace fastvlm {

// All outputs of the page, in their order.
inline std::vector<NamedTensor> run_page(const Graph& page, const std::vector<NamedTensor>& inputs) {
  const std::string bytes = to_onnx(*ops::expand(page, ops::reference_expansions()), {}, {}).value();
  static const auto runtime = onnxruntime_for_tests();
  auto runner = OrtRunner::open(runtime, {.bytes = std::as_bytes(std::span(bytes)), .what = page.name(), .data_folder = {}},
                                {.threads = 1, .optimization = GraphOptimization::kNone});
  EXPECT_TRUE(runner.ok()) << runner.error().message;
  auto outputs = run(**runner, inputs);
  EXPECT_TRUE(outputs.ok()) << outputs.error().message;
  return std::move(outputs).value();
}

}  // namespace fastvlm
