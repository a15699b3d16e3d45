#include "fastvlm/run/linked_data.h"

namespace fastvlm {

namespace fs = std::filesystem;

std::vector<LinkedData> linked_data(const Path& model) {
  std::vector<LinkedData> data;
  std::error_code failure;
  if (fs::is_symlink(model, failure)) return data;
  const Path folder = model.has_parent_path() ? model.parent_path() : Path(".");
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    if (!entry.is_symlink(failure) || !entry.is_regular_file(failure)) continue;
    Path real = fs::canonical(entry.path(), failure);
    if (!failure) data.push_back({entry.path().filename().string(), std::move(real)});
  }
  return data;
}

Path common_folder(const std::vector<LinkedData>& data) {
  if (data.empty()) return {};
  const Path folder = data.front().file.parent_path();
  for (const LinkedData& link : data)
    if (link.file.parent_path() != folder || link.file.filename() != link.name) return {};
  return folder;
}

}  // namespace fastvlm
