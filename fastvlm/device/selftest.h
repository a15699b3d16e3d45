// The self-test of a bundle: what to run, on which numbers, and what must come out, as raw files and one JSON file that any program
// can follow. Nothing in it depends on who runs the graphs.
//
//   selftest/selftest.json   names the files below selftest/; numbers are little-endian, row by row, without a header
//   <results>/<run>/<output>.raw   what a device writes, in the type of the graph or as float32; the size tells which
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"
#include "fastvlm/tensor/tensor.h"

namespace fastvlm::device {

inline constexpr const char* kSelfTestFolder = "selftest";
inline constexpr const char* kSelfTestFile = "selftest.json";
inline constexpr const char* kQuestionFile = "question.txt";
inline constexpr const char* kSelfTestFormat = "fastvlm-npu selftest";
inline constexpr int kSelfTestVersion = 1;
// What a result folder of ours says about itself.
inline constexpr const char* kResultsFile = "results.json";

struct StoredTensor {
  std::string name;
  Dtype type = Dtype::kFloat32;
  Shape shape;
  std::string file;  // below selftest/; empty: all zeros
  bool operator==(const StoredTensor&) const = default;
};

// One run of one graph. Outputs stand in the order in which the graph computes them.
struct GraphRun {
  std::string name;
  std::string graph;
  std::vector<StoredTensor> inputs;
  std::vector<StoredTensor> outputs;
  bool operator==(const GraphRun&) const = default;
};

// A question about a picture, through all graphs and the cache. Row 0 of the logits belongs to the last token of the prompt, row i to
// ids[i - 1], whatever the device would have chosen; a device writes <name>/image_features.raw, <name>/logits.raw and <name>/ids.raw,
// the int32 index of the largest of each row.
struct PictureAnswer {
  std::string name;
  std::int64_t image_size = 0;
  std::string question;
  std::vector<std::vector<std::int32_t>> pieces;  // of the prompt; the picture lies between them
  std::vector<std::int32_t> ids;                  // the largest of each row of `logits`
  StoredTensor pixel_values;                      // input of the vision graph
  StoredTensor image_features;
  StoredTensor logits;
  bool operator==(const PictureAnswer&) const = default;
};

struct SelfTest {
  std::string chip;
  std::string recipe;
  std::vector<GraphRun> runs;
  std::vector<GraphRun> probes;  // of graphs with an output for every layer; empty: none were made
  std::vector<PictureAnswer> answers;
  bool operator==(const SelfTest&) const = default;
};

std::string selftest_text(const SelfTest& test);
// Strictly; names of files stay in the folder, shapes are bounded.
Result<SelfTest> parse_selftest(std::string_view text, const std::string& what);
Result<SelfTest> read_selftest(const Path& bundle);

// The numbers of a tensor of the self-test in its own type. A file of another size is an Error.
Result<Tensor> load_stored(const Path& bundle, const StoredTensor& tensor);
// What a device wrote, as float32: `file` has the elements of `shape` in `type` or in float32.
Result<Tensor> load_result(const Path& file, const StoredTensor& expected);
Status write_raw(const Path& file, const Tensor& tensor);

}  // namespace fastvlm::device
