// Any bytes as adapter_config.json: an error or factors that can be computed with.
#include <cmath>

#include "fastvlm/base/assert.h"
#include "fastvlm/checkpoint/adapter_config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const auto config = parse_adapter_config({reinterpret_cast<const char*>(data), size}, "adapter_config.json");
  if (!config.ok()) return 0;
  for (const char* module : {"model.layers.0.self_attn.q_proj", "lm_head", "", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    FASTVLM_ASSERT(config->rank_of(module) >= 1, "a rank to divide by");
    FASTVLM_ASSERT(!std::isnan(config->scale_of(module)), "a factor");
  }
  return 0;
}
