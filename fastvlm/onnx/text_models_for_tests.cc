#include "fastvlm/onnx/text_models_for_tests.h"

#include <onnx/defs/parser.h>
#include <onnx/onnx_pb.h>

namespace fastvlm {

std::string onnx_from_text(const std::string& text, const std::vector<ExternalTensorForTests>& external) {
  const std::string header = "<ir_version: 8, opset_import: [\"\" : 17, \"com.microsoft\" : 1]>\n";
  const std::string whole = text.starts_with('<') ? text : header + text;
  onnx::ModelProto model;
  const auto status = onnx::OnnxParser::Parse(model, whole.c_str());
  FASTVLM_ASSERT(status.IsOK(), status.ErrorMessage().c_str());
  for (const ExternalTensorForTests& tensor : external) {
    onnx::TensorProto* proto = model.mutable_graph()->add_initializer();
    proto->set_name(tensor.name);
    proto->set_data_type(facts(tensor.dtype).onnx);
    proto->set_data_location(onnx::TensorProto::EXTERNAL);
    for (std::int64_t extent : tensor.shape) proto->add_dims(extent);
    for (const auto& [key, value] : tensor.entries) {
      auto* entry = proto->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
  }
  return model.SerializeAsString();
}

}  // namespace fastvlm
