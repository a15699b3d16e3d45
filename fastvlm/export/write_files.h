// The files of an export as they are written: by a whole one, and by one that gets more recipes.
#pragma once

#include <map>
#include <string>

#include "fastvlm/export/manifest_of.h"
#include "fastvlm/onnx/data_writer.h"

namespace fastvlm {

Status write_small_file(const Path& folder, const std::string& name, const std::string& bytes, const std::string& made,
                        WrittenFacts& facts);

struct WeightFiles {
  const DataLayout& data;
  Path folder;       // of the whole export
  bool npu = false;  // they lie below npu/
};
// All files of the layout.
Status write_weights(const WeightFiles& files, const WriteOptions& options, Progress& progress, WrittenFacts& facts);

// The tables in codes. One that is among facts.files stands already and has its row in facts.coded_tables.
Status write_coded_tables(const PreparedExport& prepared, const Path& folder, const WriteOptions& options, Progress& progress,
                          WrittenFacts& facts);

// Findings about single weights, after the fact.
Status report_losses(PreparedExport& prepared, const WrittenFacts& facts);

// The ONNX file of a graph, with what the weights inside it lost.
Result<std::string> graph_file_bytes(const PreparedExport& prepared, const PreparedGraph& graph, std::map<std::string, CastLosses>& losses);

}  // namespace fastvlm
