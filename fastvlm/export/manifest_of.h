// The manifest of an export.
#pragma once

#include "fastvlm/export/embedding_int8.h"
#include "fastvlm/export/export.h"

namespace fastvlm {

// What is known only after writing.
struct WrittenFacts {
  std::string model;  // model_identity()
  std::map<std::string, ManifestFile> files;
  Int8Table int8;
  std::vector<CodedTableEntry> coded_tables;
  std::map<std::string, CastLosses> losses;
  std::uint64_t reused = 0;  // bytes of an earlier export; stands in no file
};

Manifest manifest_of(const PreparedExport& prepared, const WrittenFacts& written);

// How a question is put, whoever runs the graphs.
PromptContract prompt_of(const PreparedExport& prepared);

std::vector<RangeScale> range_scales(const ops::ScalePlan& plan);
std::vector<GeluEntry> gelu_entries(const std::vector<ops::ChosenGelu>& gelus);

// The size of the manifest before anything is written: hashes have a fixed width; the int8 numbers are padded to one.
std::uint64_t planned_manifest_bytes(const PreparedExport& prepared, const std::vector<PlannedFile>& files);

}  // namespace fastvlm
