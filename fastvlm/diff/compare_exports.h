// diff: which graphs, weights and settings of two exports differ, and by how much.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

// An export: its manifest, and the folder that its files are in.
struct ExportSide {
  Path folder;
  Manifest manifest;
};
// `path` is an output folder or a manifest; the files of a manifest are looked for beside it.
Result<ExportSide> open_export_side(const Path& path);

// One value that is another one; empty: it is on one side only.
struct ChangedSetting {
  std::string key;  // "/preprocessing/image_size"
  std::string first;
  std::string second;
};

struct ChangedGraph {
  std::string file;
  std::vector<ChangedSetting> changes;  // of its entry; empty: only the bytes of the file
};

// How far the numbers of a weight lie apart; the first side is the reference.
struct NumberDifference {
  double max_abs = 0;
  double snr_db = 0;            // 300: equal numbers
  std::int64_t not_finite = 0;  // of either side; they count as 0
};
struct ChangedWeight {
  std::string file;
  std::string name;  // of codes with scales: that of the weight
  Shape shape;
  std::optional<NumberDifference> numbers;
  std::string sentence;  // why there are none
};

struct ChangedFile {
  std::string name;
  std::uint64_t first_bytes = 0;
  std::uint64_t second_bytes = 0;
};

// What is on one side only.
struct OneSided {
  std::vector<std::string> first;
  std::vector<std::string> second;
  bool empty() const { return first.empty() && second.empty(); }
};

struct ExportDifferences {
  std::vector<ChangedSetting> settings;
  std::vector<ChangedGraph> graphs;
  OneSided only_graphs;
  std::vector<ChangedWeight> weights;  // the smallest SNR first
  OneSided only_weights;               // in files that both have
  std::int64_t same_weights = 0;
  std::vector<ChangedFile> files;  // all that have other bytes, those of graphs and weights too
  OneSided only_files;

  bool same() const;
};

// Files with equal hashes in both manifests count as equal; the numbers of others are read. An Error when a file is shorter than its
// manifest says, or the work is interrupted.
Result<ExportDifferences> compare_exports(const ExportSide& first, const ExportSide& second);

OrderedJson to_json(const ExportDifferences& differences);

}  // namespace fastvlm
