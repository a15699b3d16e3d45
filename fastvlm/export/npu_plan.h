// What a plan says about the NPU: contexts and their sizes, the cache, what each chip can hold.
#pragma once

#include "fastvlm/export/export.h"

namespace fastvlm {

// One entry for each target: {target, soc_model, htp_arch, vtcm_mib, context_limit_bytes, contexts: [{group, graphs,
// weight_bytes}], cache_bytes_per_token, cache_at_edges: [{recipe, type, bytes_per_token}], speed_bound, findings}. Sizes are of half
// precision, which is what NPUs keep.
Result<OrderedJson> npu_plan_json(const PreparedExport& prepared);

}  // namespace fastvlm
