// Conditions of the rules table (op_rules.h), one function each.
#pragma once

#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

void refuse(OpIssues& out, std::string reason, std::string advice = "", std::string_view source = kMeasured);
void warn(OpIssues& out, std::string reason, std::string advice = "", std::string_view source = kMeasured);
// The node is taken; the verdict stays ok.
void remark(OpIssues& out, std::string reason, std::string advice = "", std::string_view source = kMeasured);
void refuse_computed(const NodeContext& c, std::size_t i, OpIssues& out);

// Of every node. `rule` may be nullptr.
void check_open(const NodeContext& c, OpIssues& out);                       // no extents that depend on open inputs
void check_empty(const NodeContext& c, const OpRule* rule, OpIssues& out);  // no extents of 0
void check_rank(const NodeContext& c, const OpRule* rule, OpIssues& out);   // rank 5 slow, 6 and more refused
void check_types(const NodeContext& c, const OpRule* rule, OpIssues& out);  // no uint64, bfloat16, …
void check_constants(const NodeContext& c, const OpRule& rule, OpIssues& out);
void check_attributes(const NodeContext& c, OpIssues& out);
void check_constant_values(const NodeContext& c, OpIssues& out);  // constants that half precision or int32 cannot hold

// Of one operator.
void check_attention(const NodeContext& c, OpIssues& out);
void check_average_pool(const NodeContext& c, OpIssues& out);
void check_batch_norm(const NodeContext& c, OpIssues& out);
void check_blocks(const NodeContext& c, OpIssues& out);
void check_cast(const NodeContext& c, OpIssues& out);
void check_dropout(const NodeContext& c, OpIssues& out);
void check_dynamic_quantize(const NodeContext& c, OpIssues& out);
void check_einsum(const NodeContext& c, OpIssues& out);
void check_erf(const NodeContext& c, OpIssues& out);    // only inside x/sqrt(2) -> Erf -> +1 -> *x -> *0.5
void check_alone(const NodeContext& c, OpIssues& out);  // the only node of the graph
void check_expand(const NodeContext& c, OpIssues& out);
void check_gather(const NodeContext& c, OpIssues& out);
void check_gemm(const NodeContext& c, OpIssues& out);
void check_if(const NodeContext& c, OpIssues& out);
void check_layer_norm(const NodeContext& c, OpIssues& out);
void check_max_pool(const NodeContext& c, OpIssues& out);
void check_pad(const NodeContext& c, OpIssues& out);
void check_pow(const NodeContext& c, OpIssues& out);
void check_quantization(const NodeContext& c, OpIssues& out);
void check_random(const NodeContext& c, OpIssues& out);
void check_reduce(const NodeContext& c, OpIssues& out);
void check_reduce_mean(const NodeContext& c, OpIssues& out);  // also the mean of squares
void check_resize(const NodeContext& c, OpIssues& out);
void check_result_shape(const NodeContext& c, OpIssues& out);  // the result's shape must be stated or follow from constants
void check_rms_norm(const NodeContext& c, OpIssues& out);
void check_softmax(const NodeContext& c, OpIssues& out);
void check_transpose(const NodeContext& c, OpIssues& out);
void check_two_inputs(const NodeContext& c, OpIssues& out);

}  // namespace fastvlm::qnn
