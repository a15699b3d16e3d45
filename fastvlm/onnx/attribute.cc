#include "fastvlm/onnx/attribute.h"

#include <variant>

namespace fastvlm {
namespace {

struct WriteAttribute {
  onnx::AttributeProto& to;
  void operator()(std::int64_t value) const {
    to.set_type(onnx::AttributeProto::INT);
    to.set_i(value);
  }
  void operator()(float value) const {
    to.set_type(onnx::AttributeProto::FLOAT);
    to.set_f(value);
  }
  void operator()(double) const { FASTVLM_ASSERT(false, "doubles are for semantic nodes, which are expanded"); }
  void operator()(const std::string& value) const {
    to.set_type(onnx::AttributeProto::STRING);
    to.set_s(value);
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    to.set_type(onnx::AttributeProto::INTS);
    for (std::int64_t value : values) to.add_ints(value);
  }
};

}  // namespace

void add_attribute(onnx::NodeProto& node, const std::string& name, const Attribute& value) {
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(name);
  std::visit(WriteAttribute{added}, value);
}

}  // namespace fastvlm
