// export --layout: a checkpoint becomes a folder that programs of other people open unchanged.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/clients/layout.h"

namespace fastvlm::clients {

// What each such folder has beside the clients' own files: who wrote it, for whom, and the hash of every file.
inline constexpr const char* kLayoutsFile = "layouts.json";

struct LayoutExportOptions {
  ExportOptions model;                           // npu and dtype are not looked at
  std::vector<std::string> layouts;              // rows of layouts()
  std::vector<std::string> variants = {"fp32"};  // rows of variants()
};

// Every file but layouts.json, which holds hashes of what is written.
Result<std::vector<PlannedFile>> plan_layouts(const LayoutExportOptions& options);

// Writes the folder, whole or not at all. Memory is bounded as in run_export().
Result<ExportReport> export_layouts(const LayoutExportOptions& options, Progress& progress);

}  // namespace fastvlm::clients
