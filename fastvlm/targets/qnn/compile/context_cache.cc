#include "fastvlm/targets/qnn/compile/context_cache.h"

#include <unistd.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/plain_path.h"

namespace fastvlm::qnn {
namespace {

namespace fs = std::filesystem;
constexpr const char* kFactsFile = "entry.json";

// The files of an entry all have the hash that the entry says.
bool is_sound(const Path& entry, const Json& facts) {
  const Json* files = json_find(facts, "files");
  if (files == nullptr || !files->is_object() || files->empty()) return false;
  for (const auto& [name, hash] : files->items()) {
    if (!is_file_name(name) || !hash.is_string()) return false;
    auto actual = sha256_of_file(entry / name);
    if (!actual.ok() || *actual != hash.get<std::string>()) return false;
  }
  return true;
}

}  // namespace

std::optional<Path> ContextCache::find(const std::string& key) const {
  if (folder_.empty()) return std::nullopt;
  const Path entry = folder_ / key;
  auto facts = read_json_file(entry / kFactsFile);
  if (facts.ok() && is_sound(entry, *facts)) return entry;
  // What is damaged would be in the way of the new one.
  std::error_code ignored;
  fs::remove_all(entry, ignored);
  return std::nullopt;
}

std::optional<Json> ContextCache::take(const std::string& key, const Path& target) const {
  auto found = find(key);
  if (!found) return std::nullopt;
  const Path& entry = *found;
  auto facts = read_json_file(entry / kFactsFile);
  if (!facts.ok()) return std::nullopt;
  std::error_code failure;
  for (const auto& [name, hash] : (*facts)["files"].items()) {
    fs::copy_file(entry / name, target / name, fs::copy_options::overwrite_existing, failure);
    if (failure) return std::nullopt;
  }
  return *facts;
}

void ContextCache::keep(const std::string& key, const Path& source, const std::vector<std::string>& files, OrderedJson facts) const {
  if (folder_.empty()) return;
  std::error_code failure;
  const Path staging = folder_ / fmt::format(".{}.partial-{}", key, ::getpid());
  fs::create_directories(staging, failure);
  facts["files"] = OrderedJson::object();
  for (const std::string& name : files) {
    fs::copy_file(source / name, staging / name, fs::copy_options::overwrite_existing, failure);
    auto hash = sha256_of_file(staging / name);
    if (failure || !hash.ok()) {
      fs::remove_all(staging, failure);
      return;
    }
    facts["files"][name] = *hash;
  }
  if (write_file_atomically(staging / kFactsFile, facts.dump(1)).ok()) fs::rename(staging, folder_ / key, failure);
  // Another run may have put the same entry there first.
  fs::remove_all(staging, failure);
}

}  // namespace fastvlm::qnn
