// The entries with which a tensor names its bytes in another file, and whether they can be true.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fastvlm/onnx/finding.h"
#include "fastvlm/onnx/model_file.h"

namespace fastvlm {

// Entries as key and value ("location", "offset", "length", "checksum"); `where` stands in front of errors.
Result<ExternalData> parse_external_data(const std::vector<std::pair<std::string, std::string>>& entries, const std::string& where);

// Whether the location is a relative path that stays in its folder: not empty, not absolute, no "..".
bool is_inside_folder(const std::string& location);

struct ExternalDataOptions {
  bool require_aligned = false;  // offsets in multiples of 4096
};

// Size of a file named by `location`, or what is wrong with it. Lets the table be checked without a disk.
struct DataFile {
  std::uint64_t size = 0;
  std::string problem;  // "there is no such file", "it is a symbolic link", …
};
// `follow_links`: a link counts as the file it leads to, as in the folders of a download cache.
DataFile look_at_data_file(const Path& folder, const std::string& location, bool follow_links = false);

// What no ONNX checker looks at: place and size of every external tensor. One look-up for each distinct location.
std::vector<Finding> check_external_data(const OnnxModel& model, const std::map<std::string, DataFile>& files,
                                         const ExternalDataOptions& options = {});
// The locations of a model that stay in its folder, looked up on disk.
std::map<std::string, DataFile> find_data_files(const OnnxModel& model, const Path& folder, bool follow_links = false);

}  // namespace fastvlm
