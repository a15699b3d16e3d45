// Finds added tokens in text: the leftmost, and of those that start there the longest.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace fastvlm {

class AddedTokenMatcher {
 public:
  struct Match {
    std::size_t begin = 0;
    std::size_t length = 0;  // 0: nothing found, and begin is the end of the text
    std::int32_t id = -1;
  };

  // `content` must not be empty. The last id wins when one content is added twice.
  void add(std::string_view content, std::int32_t id);
  bool empty() const { return ids_.size() == 1; }

  // The first match at or behind `from`. At worst O(text · longest token), and tokens are at most kMaxAddedTokenBytes long.
  Match find(std::string_view text, std::size_t from) const;

 private:
  // A trie: the id that ends at each node, and the children keyed by (node << 8 | byte).
  std::vector<std::int32_t> ids_{-1};
  std::unordered_map<std::uint64_t, std::uint32_t> children_;
  std::array<bool, 256> can_start_{};
};

}  // namespace fastvlm
