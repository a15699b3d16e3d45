// Compiled contexts by what they were made of. An entry is a folder that appears whole; a damaged one is made again.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"

namespace fastvlm::qnn {

class ContextCache {
 public:
  // An empty folder means no cache: nothing is found and nothing is kept.
  explicit ContextCache(Path folder) : folder_(std::move(folder)) {}

  // Copies the entry's files into `target` when it is there and its hashes hold; returns its facts. Nothing: not there.
  std::optional<Json> take(const std::string& key, const Path& target) const;

  // The folder of a sound entry, to be read in place.
  std::optional<Path> find(const std::string& key) const;

  // Keeps copies of these files of `source`. Failing to keep is no failure of the compilation.
  void keep(const std::string& key, const Path& source, const std::vector<std::string>& files, OrderedJson facts) const;

 private:
  Path folder_;
};

}  // namespace fastvlm::qnn
