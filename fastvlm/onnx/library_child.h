// The ONNX library's checker and shape inference, in a child process: what they cannot stand ends the child, not us.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/onnx/finding.h"
#include "fastvlm/process/worker.h"

namespace onnx {
class ModelProto;
}

namespace fastvlm {

// Infers shapes and puts them into `model`. Returns why that failed or went only half of the way, or "" when all went well; a
// crash of the child, or a lack of memory or time, is such a reason. `faults` gets what is wrong with the nodes, by their places, as far
// as the child lives.
std::string infer_shapes_in_child(onnx::ModelProto& model, std::map<int, std::string>* faults = nullptr);

// The checker, then strict inference, on the file (external data lie beside it). A child that dies is a warning.
std::vector<Finding> check_in_child(const Path& file);

// The child's side.
inline constexpr const char* kOnnxWorker = "__onnx-worker";
RequestHandler onnx_worker();

}  // namespace fastvlm
