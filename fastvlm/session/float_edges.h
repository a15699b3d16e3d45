// Graphs that take and give integer codes, as their callers know all graphs: with float32 at the edges.
#pragma once

#include "fastvlm/session/output_folder.h"

namespace fastvlm {

// Opens what `open` opens. Where the manifest says that an input or output is codes, floats are coded before a run, and codes are made
// floats behind it, with its scale. A graph with probes ("<graph>.<anything>.onnx" or "<graph>_probed.onnx") has the edges of its original.
OpenGraph with_float_edges(OpenGraph open, const Manifest& manifest);

// The runner of a graph with such edges.
Result<std::unique_ptr<Runner>> with_float_edges(std::unique_ptr<Runner> runner, const GraphEntry& graph);

}  // namespace fastvlm
