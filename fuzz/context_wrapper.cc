// Any bytes as a context's wrapper, its header, its description, or a report of the plug-in: an error or a whole answer.
#include "fastvlm/targets/qnn/context/context_wrapper.h"
#include "fastvlm/targets/qnn/context/context_info.h"
#include "fastvlm/targets/qnn/context/profile_report.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const auto bytes = std::as_bytes(std::span(data, size));
  (void)check_context_header(bytes, "fuzz");
  if (auto model = parse_onnx(bytes, "fuzz", {.infer_shapes = false}); model.ok()) {
    auto wrapper = context_wrapper_of(*model, "/nonexistent/fuzz_ctx.onnx");
    FASTVLM_ASSERT(!wrapper.ok() || wrapper->embed_mode, "there is no binary beside it");
  }
  auto json = parse_json({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!json.ok()) return 0;
  if (auto info = context_info_from_json(*json, "fuzz"); info.ok()) {
    FASTVLM_ASSERT(context_info_from_json(Json::parse(context_info_to_json(*info).dump()), "again").ok(), "its own JSON");
  }
  if (auto report = parse_qnn_graph_json(*json, "fuzz"); report.ok()) {
    auto again = parse_qnn_graph_json(Json::parse(qnn_graph_report_to_json(*report).dump()), "again");
    FASTVLM_ASSERT(again.ok() && again->nodes == report->nodes, "its own JSON");
  }
  return 0;
}
