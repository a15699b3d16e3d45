// Sections of a manifest as JSON, for the verbs that print them.
#pragma once

#include "fastvlm/base/json.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

// Numbers, and the names of symbolic extents.
OrderedJson to_json(const Dims& dims);
OrderedJson to_json(const Versions& versions);
OrderedJson to_json(const ModelFacts& model);
OrderedJson to_json(const Preprocessing& preprocessing);
OrderedJson to_json(const PromptContract& prompt);
OrderedJson to_json(const GraphEntry& graph);
OrderedJson to_json(const std::vector<RangeScale>& scales);
OrderedJson to_json(const std::vector<GeluEntry>& gelus);
OrderedJson to_json(const std::vector<WeightEntry>& weights);
OrderedJson to_json(const std::vector<TargetEntry>& targets);
OrderedJson to_json(const std::map<std::string, ManifestFile>& files);

// The entry without inputs, outputs and operators: what a plan shows.
OrderedJson short_json(const GraphEntry& graph);

}  // namespace fastvlm
