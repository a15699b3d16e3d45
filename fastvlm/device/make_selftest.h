// Makes the self-test of a bundle: pictures, a question, and what the CPU computes with the graphs of the export.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/progress.h"
#include "fastvlm/device/selftest.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm::device {

// A graph of the export with further outputs.
struct ProbedGraph {
  std::string graph;                // "decoder_ar128_cl1024"
  Path model;                       // with the probes
  std::vector<std::string> values;  // its probes, in the order of computation
};

struct SelfTestRequest {
  const OutputFolder& folder;  // an export, with the decoder graphs of one recipe
  OpenGraph open;              // on the CPU
  std::string chip;
  std::vector<Path> pictures;  // empty: two that are made up
  std::string question;
  std::int64_t rows = 8;  // of logits for each picture
  std::vector<ProbedGraph> probed = {};
  // For a runtime that only answers: no graph by itself, and answers that stop before the first of these ids.
  bool answers_only = false;
  std::vector<std::int32_t> end_tokens = {};
};

// The vision size that the questions use: that of the export where there is a graph for it, or else the largest.
Result<std::int64_t> question_size(const OutputFolder& folder);

// Writes <bundle>/selftest/. Errors: no vision or decoder graphs, a picture that cannot be read, a question that does not fit.
Result<SelfTest> make_selftest(const SelfTestRequest& request, const Path& bundle, Progress& progress);

}  // namespace fastvlm::device
