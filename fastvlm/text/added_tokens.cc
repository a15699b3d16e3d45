#include "fastvlm/text/added_tokens.h"

namespace fastvlm {

void AddedTokenMatcher::add(std::string_view content, std::int32_t id) {
  can_start_[static_cast<unsigned char>(content.front())] = true;
  std::uint64_t node = 0;
  for (const char character : content) {
    const auto fresh = static_cast<std::uint32_t>(ids_.size());
    const auto [child, is_new] = children_.try_emplace(node << 8 | static_cast<unsigned char>(character), fresh);
    if (is_new) ids_.push_back(-1);
    node = child->second;
  }
  ids_[node] = id;
}

AddedTokenMatcher::Match AddedTokenMatcher::find(std::string_view text, std::size_t from) const {
  for (std::size_t begin = from; begin < text.size(); ++begin) {
    if (!can_start_[static_cast<unsigned char>(text[begin])]) continue;
    Match match{begin, 0, -1};
    std::uint64_t node = 0;
    for (std::size_t at = begin; at < text.size(); ++at) {
      const auto child = children_.find(node << 8 | static_cast<unsigned char>(text[at]));
      if (child == children_.end()) break;
      node = child->second;
      if (ids_[node] >= 0) match = {begin, at + 1 - begin, ids_[node]};
    }
    if (match.length > 0) return match;
  }
  return {text.size(), 0, -1};
}

}  // namespace fastvlm
