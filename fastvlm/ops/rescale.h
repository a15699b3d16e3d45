// Half precision made safe: streams that would come near its largest number are halved so often that they do not, and what reads
// them makes up for it. All factors are powers of two and go into weights that are there anyway, so nothing is rounded.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "fastvlm/ops/expand.h"

namespace fastvlm::ops {

// Values that must have one scale: a residual stream with all that is added to it, an activation with its GELU.
struct ScaledStream {
  std::string name;     // of the first value in it
  std::string largest;  // the value that comes closest to the limit
  double absmax = 0;    // of that value, before scaling
  int halvings = 0;     // its numbers are multiplied by 2^-halvings
  std::size_t values = 0;
  std::vector<std::string> modules;  // whose outputs are in it
};

// What comes near the limit and stays as it is.
struct UnscaledValue {
  std::string name;
  double absmax = 0;
  std::string why;
};

struct ScalePlan {
  std::map<std::string, int> halvings;  // by names of semantic values; 0 is left out
  std::vector<ScaledStream> streams;
  std::vector<UnscaledValue> unscaled;
  bool empty() const { return halvings.empty(); }
  void add(ScalePlan other);
};

// `peaks` holds the largest absolute values by the names that they have in the graph after expansion; `limit` is what a stream
// may reach.
ScalePlan plan_scales(const Graph& semantic, const ExpansionTable& table, const std::map<std::string, float>& peaks, double limit);

// The graph with its values scaled so. Inputs and outputs keep their numbers, by a Mul where the stream behind them is scaled;
// those in `carried` (seams between parts of one decoder) carry the scaled ones.
std::unique_ptr<Graph> rescaled(const Graph& semantic, const std::map<std::string, int>& halvings,
                                const std::set<std::string>& carried = {});

// What an activation node carries when its input and output are scaled: scaled = scale * true. 1 where it is not.
inline constexpr const char* kScaleAttribute = "scale";
float scale_of(const Node& node);

}  // namespace fastvlm::ops
