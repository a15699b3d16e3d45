// npu/encodings_*.json: how the numbers of the static graphs are stored, for the QAIRT tools and AIMET.
#pragma once

#include "fastvlm/bundle/manifest.h"
#include "fastvlm/export/export.h"

namespace fastvlm {

// One file for each recipe with float activations, whose graphs agree about every name. Behind integer activations one for each
// graph was prepared with it: what their lengths only move has the same name in several.
// `limit` is that of a part of the decoder. Refuses version 0.6.1 for weights in blocks.
Status add_encodings(PreparedExport& prepared, const Weights& weights, const Target& target, std::uint64_t limit);

// "npu/encodings_w8.json", "npu/encodings_decoder_ar1_cl1024_w8a16.json".
std::string encodings_file(std::string_view recipe_or_graph);

std::uint64_t planned_bytes(const PreparedEncodings& encodings, const ExportOptions& options);

// Scales are read from the data files below `folder`, which are written already.
Result<ManifestFile> write_encodings_file(const PreparedEncodings& encodings, const PreparedExport& prepared, const Path& folder,
                                          Progress& progress);

}  // namespace fastvlm
