// Reading the protobuf message itself. For the .cc files of this folder.
#pragma once

#include <set>
#include <string>

#include "fastvlm/onnx/model_file.h"

namespace onnx {
class GraphProto;
class ModelProto;
}  // namespace onnx
namespace google::protobuf::io {
class ZeroCopyInputStream;
}

namespace fastvlm {

// Fills `proto` from a file of at most kMaxOnnxFile bytes, or from any stream.
Status read_message(const Path& path, onnx::ModelProto& proto);
Status parse_message(google::protobuf::io::ZeroCopyInputStream& stream, onnx::ModelProto& proto, const std::string& what);

// The plain form of a message, as it stands; no shape inference.
Result<OnnxModel> summarize(const onnx::ModelProto& proto, const std::string& what);

// A message that was changed, as a file; with what an Error calls it. External data stay where they are.
Result<std::string> written_again(const onnx::ModelProto& proto, const std::string& what);

// Initializers with other names than these go.
void keep_constants(onnx::GraphProto& graph, const std::set<std::string>& needed);

}  // namespace fastvlm
