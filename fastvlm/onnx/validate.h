// Whether an ONNX file is what we promise: more than the ONNX checker looks at, and what it looks at as well.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/onnx/finding.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

struct OperatorId {
  std::string op;
  std::string domain;  // "" is ONNX itself
};

struct ValidateOptions {
  std::vector<OperatorId> allowed_operators;  // empty: any
  std::int64_t opset = 17;                    // 0: any
  std::int64_t ir_version = 8;                // 0: any
  bool forbid_symbolic_dims = false;          // for graphs that are to be compiled for an NPU
  bool require_aligned_data = false;          // external data at multiples of 4096 bytes
  bool follow_links = false;                  // external data may be a link, as in the folders of a download cache
};

// Everything that is wrong with the model, and notes about what could not be checked. An Error only when the file cannot be
// read at all. Looked at: versions, operators, the structure of the main graph (order, single assignment, nothing unused),
// symbolic extents, place and size of external data, the ONNX checker, and shape inference in which every misfit counts.
Result<std::vector<Finding>> validate_onnx(const Path& model, const ValidateOptions& options = {});

// One check each, for models in memory.
std::vector<Finding> check_versions(const OnnxModel& model, const ValidateOptions& options);
std::vector<Finding> check_operators(const OnnxModel& model, std::span<const OperatorId> allowed);
std::vector<Finding> check_structure(const OnnxModel& model);
std::vector<Finding> check_static_shapes(const OnnxModel& model);

// The first operator of ONNX's own domain that no version of ONNX has; what of it a runtime adds under that domain is known, too.
std::optional<std::string> unknown_operator(const OnnxModel& model);

// The errors among the findings as one Status: the first in full, the others counted.
Status to_status(const std::vector<Finding>& findings, const Path& model);

}  // namespace fastvlm
