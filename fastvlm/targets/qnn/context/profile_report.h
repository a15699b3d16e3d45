// What the QNN plug-in made of an ONNX graph: which QNN operators, and which ONNX node became which of them.
//
// The plug-in of onnxruntime-qnn 2.7.0 writes two kinds of files while a session is created:
//   enable_framework_op_trace=1, framework_op_trace_dir=<folder>  -> <folder>/qnn_op_trace.json: every QNN node with the ONNX
//     nodes that it came from. The name is fixed, an older file is overwritten, a missing folder is made.
//   dump_json_qnn_graph=1, json_qnn_graph_dir=<folder>  -> <folder>/<graph name>.json: the QNN graph with shapes, without ONNX
//     names for fused nodes (and <graph name>_tensor_log.json with sizes, not read here).
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/targets/compiled_context.h"
#include "fastvlm/targets/operator_report.h"

namespace fastvlm {

// Reads an op trace, a graph dump, or a report written by qnn_graph_report_to_json. In a dump the ONNX names are guessed from
// the QNN names. A trace of more or less than one graph is an Error: it means that the graph fell apart.
Result<CompiledOperators> read_qnn_graph_json(const Path& path);
Result<CompiledOperators> parse_qnn_graph_json(const Json& json, const std::string& what);

// The nodes that a trace calls unsupported. The plug-in writes its trace also when the session then fails because of them.
Result<std::vector<RefusedNode>> read_refused_nodes(const Path& op_trace);

// The report as it is kept beside a context: a sixth of the trace.
OrderedJson qnn_graph_report_to_json(const CompiledOperators& report);

// "model.layers.3" for "model.layers.3.self_attn.q_proj/matmul", "model.vision_tower.stages.2.blocks.7" likewise; for other
// nodes the first three parts of their module path, and "graph" for nodes outside of any module.
std::string qnn_group_of(const std::string& onnx_node);

}  // namespace fastvlm
