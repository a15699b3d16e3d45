// Any bytes as a model that check-ops judges, for a chip with half precision and one without, as it stands and with fixed inputs.
#include "fastvlm/targets/registry.h"

namespace {

using namespace fastvlm;

void judge(const OnnxModel& model) {
  for (const char* name : {"sm8750", "sm8350"}) {
    const auto chip = find_chip(known_targets(), name);
    const auto report = chip->target->check_operators(model, *chip->chip);
    if (!report.ok()) continue;
    FASTVLM_ASSERT(report->ok + report->warnings + report->refused == static_cast<std::int64_t>(model.nodes.size()), "a verdict each");
    for (const NodeVerdict& node : report->nodes)
      for (const OpIssue& issue : node.issues) FASTVLM_ASSERT(!issue.reason.empty() && issue.verdict <= node.verdict, "an issue says what");
    for (const Finding& finding : report->graph) FASTVLM_ASSERT(!finding.message.empty(), "a finding says what");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  const auto model = parse_onnx(bytes, "fuzz", {.infer_shapes = false, .inline_functions = true});
  if (!model.ok()) {
    (void)parse_freezes({reinterpret_cast<const char*>(data), size});
    return 0;
  }
  judge(*model);
  std::vector<Freeze> freezes;
  for (const OnnxValue& input : model->inputs) freezes.push_back({input.name, std::vector<std::int64_t>(input.type.dims.size(), 2)});
  if (auto frozen = parse_onnx(bytes, "fuzz", {.infer_shapes = false, .freezes = freezes}); frozen.ok()) judge(*frozen);
  return 0;
}
