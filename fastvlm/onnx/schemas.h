// What the ONNX library knows about operators, and a little more: ONNX Runtime's own operators that we write, and newer forms
// of old operators. Nothing is registered globally, so another user of the library in the process is not disturbed.
// For the .cc files of this folder.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace onnx {
class ISchemaRegistry;
class ModelProto;
class GraphProto;
}  // namespace onnx

namespace fastvlm {

// For checking: an operator nobody knows has no schema, so the checker names it.
const onnx::ISchemaRegistry& strict_schemas();
// For shape inference: an operator nobody knows has a schema that infers nothing, instead of an old meaning that would be
// wrong or a line on stderr.
const onnx::ISchemaRegistry& lenient_schemas();

// The newest opset of ONNX itself that the linked library knows.
std::int64_t newest_known_opset();

// True for an operator that only our own table knows, at this opset.
bool is_extension(const std::string& domain, const std::string& op, std::int64_t opset);
// True for an operator of ONNX that came after the linked library, of the opsets up to 26.
bool is_newer_than_library(const std::string& op);
// True for a name that ONNX, or ONNX Runtime in its domain, gave to an operator at any time.
bool is_operator_name(const std::string& op);
// True when the operator took new inputs, attributes or types since what the library knows of it.
bool has_outgrown_library(const std::string& op, std::int64_t opset);
// True when strict_schemas() has it.
bool is_known(const std::string& domain, const std::string& op, std::int64_t opset);

struct InferOptions {
  bool strict = false;          // a node that cannot be as it is (shapes that do not fit) is a failure
  bool check_types = true;      // when strict, an element type that the library's schema does not list is a failure, too
  bool follow_numbers = false;  // also the numbers of shapes, such as the target of a Reshape that is computed from a Shape
};

// Runs shape inference in place; for the child process only. Returns why it failed, or "" when it went well.
std::string infer_shapes_in_place(onnx::ModelProto& model, const InferOptions& options);

}  // namespace fastvlm
