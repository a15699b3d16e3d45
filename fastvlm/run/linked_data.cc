#include "fastvlm/run/linked_data.h"

#include <algorithm>
#include <set>

#include "fastvlm/base/plain_path.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

// How each tensor with external data begins to name its file, in the wire format of protobuf: key (field 1) and the tag of value (2).
constexpr std::string_view kLocation = "\x0a\x08location\x12";

// The files that a model names for its data, found without a reading of the rest.
std::set<std::string> named_files(std::string_view model) {
  std::set<std::string> names;
  for (std::size_t at = model.find(kLocation); at != std::string_view::npos; at = model.find(kLocation, at)) {
    at += kLocation.size();
    std::size_t length = 0;
    for (int shift = 0; at < model.size() && shift < 28; shift += 7) {
      const auto byte = static_cast<unsigned char>(model[at++]);
      length |= static_cast<std::size_t>(byte & 0x7F) << shift;
      if (byte < 0x80) break;
    }
    if (const std::string_view name = model.substr(at, length); name.size() == length && stays_in_folder(name)) names.emplace(name);
  }
  return names;
}

bool has_links(const Path& folder) {
  std::error_code failure;
  const fs::directory_iterator entries(folder, failure);
  return !failure && std::any_of(begin(entries), end(entries), [](const auto& entry) { return fs::is_symlink(entry.symlink_status()); });
}

// In the real folder under this name, too.
bool is_at_home(const LinkedData& data, const Path& folder) { return data.file == (folder / data.name).lexically_normal(); }

}  // namespace

std::vector<LinkedData> linked_data(const Path& model) {
  std::vector<LinkedData> data;
  std::error_code failure;
  if (fs::is_symlink(model, failure)) return data;
  const Path folder = fs::canonical(model.has_parent_path() ? model.parent_path() : Path("."), failure);
  if (failure || !has_links(folder)) return data;
  auto map = MappedFile::open(model);
  if (!map.ok()) return data;
  for (const std::string& name : named_files({reinterpret_cast<const char*>(map->bytes().data()), map->bytes().size()})) {
    Path real = fs::canonical(folder / name, failure);
    if (!failure && fs::is_regular_file(real, failure)) data.push_back({name, std::move(real)});
  }
  if (std::ranges::all_of(data, [&](const LinkedData& each) { return is_at_home(each, folder); })) data.clear();
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
