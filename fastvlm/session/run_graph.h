// Running a graph from float32 and int64 tensors, whatever types its edges have.
#pragma once

#include <cstdint>
#include <vector>

#include "fastvlm/run/runner.h"

namespace fastvlm {

// Converts float32 to float16 and int64 to int32 where the graph declares it, runs, and returns floating outputs as float32.
Result<std::vector<NamedTensor>> run_converted(Runner& runner, std::vector<NamedTensor> inputs, std::span<const std::string> wanted = {});
// The one output of that name.
Result<Tensor> run_for(Runner& runner, std::vector<NamedTensor> inputs, const std::string& output);

// Element type of the graph's first input.
Dtype edge_dtype(const Runner& runner);

// The same numbers on every machine and in every run: uniform in [low, high) and ids in [0, below).
Tensor random_floats(Shape shape, float low, float high, std::uint32_t seed);
Tensor random_ids(Shape shape, std::int64_t below, std::uint32_t seed);

// Rows [begin, end) along axis 0.
Tensor slice_rows(const Tensor& tensor, std::int64_t begin, std::int64_t end);
// The tensors one behind the other along axis 0; equal shapes behind it.
Tensor stack_rows(std::span<const Tensor> tensors);
Tensor reshaped(Tensor tensor, Shape shape);

std::int64_t index_of_largest(std::span<const float> values);

}  // namespace fastvlm
