// Conditions of the rules table (op_rules.h), one function each.
#pragma once

#include "fastvlm/targets/qnn/check/op_rules.h"

namespace fastvlm::qnn {

// Of every node, whatever the operator.
void check_static(const NodeContext& c, OpIssues& out);           // no symbolic extents
void check_rank(const NodeContext& c, OpIssues& out);             // rank 5 slow, 6 and more refused
void check_types(const NodeContext& c, OpIssues& out);            // no float64, bfloat16, bare 8- and 16-bit arithmetic
void check_constant_values(const NodeContext& c, OpIssues& out);  // constants that half precision or int32 cannot hold

// Of one operator.
void check_erf(const NodeContext& c, OpIssues& out);  // only inside x/sqrt(2) -> Erf -> +1 -> *x -> *0.5
void check_expand(const NodeContext& c, OpIssues& out);
void check_rms_norm(const NodeContext& c, OpIssues& out);
void check_layer_norm(const NodeContext& c, OpIssues& out);
void check_softmax(const NodeContext& c, OpIssues& out);
void check_gemm(const NodeContext& c, OpIssues& out);
void check_lp_normalization(const NodeContext& c, OpIssues& out);
void check_reduce_mean(const NodeContext& c, OpIssues& out);  // also the mean of squares
void check_cumsum(const NodeContext& c, OpIssues& out);
void check_average_pool(const NodeContext& c, OpIssues& out);
void check_max_pool(const NodeContext& c, OpIssues& out);
void check_arg_max(const NodeContext& c, OpIssues& out);
void check_einsum(const NodeContext& c, OpIssues& out);
void check_dropout(const NodeContext& c, OpIssues& out);
void check_branches(const NodeContext& c, OpIssues& out);  // If
void check_random(const NodeContext& c, OpIssues& out);
void check_needs_all_fixed(const NodeContext& c, OpIssues& out);     // every input after the first must be constant
void check_needs_fixed_values(const NodeContext& c, OpIssues& out);  // every input must be (Range, ConstantOfShape)

}  // namespace fastvlm::qnn
