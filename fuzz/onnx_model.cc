// Any bytes as an ONNX file: an error or a summary, and then every check that works on the summary.
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  // Shape inference is the ONNX library's and runs in a child.
  Result<OnnxModel> model = parse_onnx(std::as_bytes(std::span(data, size)), "fuzz", {.infer_shapes = false});
  if (!model.ok()) return 0;

  std::map<std::string, DataFile> files;
  for (const OnnxInitializer& tensor : model->initializers) {
    if (tensor.constant)
      FASTVLM_ASSERT(tensor.constant->bytes.size() == *tensor.bytes && *tensor.bytes <= kMaxKeptConstant, "a whole constant");
    if (tensor.external && is_inside_folder(tensor.external->location))
      files.emplace(tensor.external->location, DataFile{std::uint64_t{1} << 20, ""});
  }
  for (const Finding& finding : check_external_data(*model, files, {.require_aligned = true}))
    FASTVLM_ASSERT(!finding.message.empty(), "a finding says what");
  check_versions(*model, {});
  check_structure(*model);
  check_static_shapes(*model);
  check_operators(*model, std::vector<OperatorId>{{"Relu", ""}});
  const OnnxIndex index(*model);
  for (const OnnxNode& node : model->nodes)
    for (const std::string& input : node.inputs) index.scalar(input);
  return 0;
}
