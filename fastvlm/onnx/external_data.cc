#include "fastvlm/onnx/external_data.h"

#include <algorithm>
#include <charconv>

#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/data_layout.h"

namespace fastvlm {
namespace {

Result<std::uint64_t> parse_number(const std::string& text, const std::string& key, const std::string& where) {
  std::uint64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  // Offsets are signed in every file system.
  if (text.empty() || problem != std::errc() || end != text.data() + text.size() || value > INT64_MAX)
    return bad_input("{}: external data {} \"{}\" is not a number of bytes", where, key, text.substr(0, 40));
  return value;
}

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  const OnnxInitializer* tensor = nullptr;
};

// Two tensors may name the same bytes (shared weights); they may not overlap in part.
void find_overlaps(std::vector<Extent>& extents, const std::string& location, std::vector<Finding>& findings) {
  std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
    return std::tie(a.begin, a.end, a.tensor->name) < std::tie(b.begin, b.end, b.tensor->name);
  });
  const Extent* furthest = nullptr;
  for (const Extent& extent : extents) {
    const bool same = furthest != nullptr && extent.begin == furthest->begin && extent.end == furthest->end;
    if (furthest != nullptr && !same && extent.begin < furthest->end && extent.begin < extent.end)
      findings.push_back({Severity::kError, extent.tensor->name,
                          fmt::format("bytes {} to {} of \"{}\" overlap those of \"{}\", which end at {}", extent.begin, extent.end,
                                      location, furthest->tensor->name, furthest->end)});
    if (furthest == nullptr || extent.end > furthest->end) furthest = &extent;
  }
}

// What is wrong with one entry, or "" and the range of its bytes.
std::string check_entry(const OnnxInitializer& tensor, const DataFile& file, const ExternalDataOptions& options, Extent& extent) {
  const ExternalData& data = *tensor.external;
  if (!file.problem.empty()) return fmt::format("external data \"{}\": {}", data.location, file.problem);
  if (data.offset > file.size)
    return fmt::format("its data begin at byte {} of \"{}\", which has {}", data.offset, data.location, file.size);
  const std::uint64_t length = data.length.value_or(file.size - data.offset);
  if (length > file.size - data.offset)
    return fmt::format("its data need bytes {} to {} of \"{}\", which has {}", data.offset, data.offset + length, data.location, file.size);
  if (tensor.bytes && *tensor.bytes != length)
    return fmt::format("the shape {} needs {} bytes, but {} are named in \"{}\"", to_string(tensor.shape), *tensor.bytes, length,
                       data.location);
  if (options.require_aligned && data.offset % kDataAlignment != 0)
    return fmt::format("its data begin at byte {} of \"{}\", not at a multiple of {}", data.offset, data.location, kDataAlignment);
  extent = {data.offset, data.offset + length, &tensor};
  return "";
}

// Whether a link in any part of the path leads elsewhere.
bool leaves_folder(const Path& folder, const Path& path) {
  std::error_code problem;
  const Path home = std::filesystem::weakly_canonical(folder.empty() ? Path(".") : folder, problem);
  const Path real = problem ? Path() : std::filesystem::weakly_canonical(path, problem);
  if (problem) return true;
  return std::mismatch(home.begin(), home.end(), real.begin(), real.end()).first != home.end();
}

}  // namespace

Result<ExternalData> parse_external_data(const std::vector<std::pair<std::string, std::string>>& entries, const std::string& where) {
  ExternalData data;
  bool has_location = false;
  for (const auto& [key, value] : entries) {
    if (key == "location") {
      data.location = value;
      has_location = true;
    } else if (key == "offset") {
      TRY_ASSIGN(data.offset, parse_number(value, key, where));
    } else if (key == "length") {
      TRY_ASSIGN(data.length, parse_number(value, key, where));
    }
  }
  if (!has_location) return bad_input("{}: is stored outside, but no file is named", where);
  return data;
}

bool is_inside_folder(const std::string& location) { return stays_in_folder(location); }

DataFile look_at_data_file(const Path& folder, const std::string& location, bool follow_links) {
  if (!is_inside_folder(location)) return {0, "the file must lie in the folder of the model, named by a relative path without \"..\""};
  std::error_code problem;
  const Path path = folder / location;
  if (!follow_links && leaves_folder(folder, path))
    return {0, "a link leads it out of the folder of the model, where it is not read (hub caches are made so); copy the files themselves"};
  const auto status = follow_links ? std::filesystem::status(path, problem) : std::filesystem::symlink_status(path, problem);
  if (status.type() == std::filesystem::file_type::not_found) return {0, "there is no such file"};
  if (status.type() == std::filesystem::file_type::symlink)
    return {0, "it is a symbolic link; ONNX readers refuse that, copy the file instead"};
  if (status.type() != std::filesystem::file_type::regular) return {0, "it is not a regular file"};
  const std::uint64_t size = std::filesystem::file_size(path, problem);
  if (problem) return {0, fmt::format("its size cannot be read ({})", problem.message())};
  return {size, ""};
}

std::map<std::string, DataFile> find_data_files(const OnnxModel& model, const Path& folder, bool follow_links) {
  std::map<std::string, DataFile> files;
  for (const OnnxInitializer& tensor : model.initializers)
    if (tensor.external && !files.contains(tensor.external->location))
      files.emplace(tensor.external->location, look_at_data_file(folder, tensor.external->location, follow_links));
  return files;
}

std::vector<Finding> check_external_data(const OnnxModel& model, const std::map<std::string, DataFile>& files,
                                         const ExternalDataOptions& options) {
  std::vector<Finding> findings;
  std::map<std::string, std::vector<Extent>> extents;
  for (const OnnxInitializer& tensor : model.initializers) {
    if (!tensor.external) continue;
    const auto found = files.find(tensor.external->location);
    const DataFile file = found == files.end() ? DataFile{0, "there is no such file"} : found->second;
    Extent extent;
    if (std::string problem = check_entry(tensor, file, options, extent); !problem.empty())
      findings.push_back({Severity::kError, tensor.name, std::move(problem)});
    else
      extents[tensor.external->location].push_back(extent);
  }
  for (auto& [location, ranges] : extents) find_overlaps(ranges, location, findings);
  return findings;
}

}  // namespace fastvlm
