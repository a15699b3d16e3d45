// Two ways to run the same graph, side by side: the NPU (or its emulation) against the CPU.
#pragma once

#include "fastvlm/targets/target.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {

// The first value that departs from the reference.
struct Departure {
  std::string value;
  std::string op;     // of the node that makes it
  double snr_db = 0;  // 0 and below: nothing of the value is left
};

struct ComparedGraph {
  Path model;
  OpenGraph open_reference;
  OpenGraph open_candidate;
  bool (*is_joined)(const OnnxIndex& index, const std::string& value) = nullptr;  // of the target; see targets/target.h
  double min_snr_db = 45;
};

// Runs the graph twice on the same inputs with every module's output probed, then every value of the first module that
// departs. Nothing when no value falls under the gate.
Result<std::optional<Departure>> first_departure(const ComparedGraph& graph, const std::vector<NamedTensor>& inputs);

struct NpuComparison {
  OpenGraph open_reference;  // each is given the path of npu/<name>.onnx
  OpenGraph open_candidate;
  const Target* target = nullptr;  // that the graphs were made for
  NpuGates gates;
  std::vector<NamedTensor> examples;  // real inputs under the names of a reference file (chat.hidden.0, s128.b1.…); others are made up
  std::vector<std::string> only;      // names of graphs; empty: all. Decoder graphs go together.
};

// Every graph under npu/ on both: picture vectors, keys and values, logits of a prompt in chunks and of single steps, greedy
// choices. A miss is followed by a row that names the first value that departs.
Status compare_npu_graphs(const OutputFolder& folder, const NpuComparison& comparison, VerifyReport& report);

}  // namespace fastvlm
