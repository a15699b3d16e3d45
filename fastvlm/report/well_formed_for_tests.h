// Whether markup of ours is well-formed: each tag is closed in its turn, and nothing asks for anything outside.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fastvlm::report {

// A sentence about the first thing that is wrong; empty: nothing.
inline std::string fault_of(std::string_view markup) {
  std::vector<std::string> open;
  for (std::size_t at = markup.find('<'); at != std::string_view::npos; at = markup.find('<', at + 1)) {
    const std::size_t end = markup.find('>', at);
    if (end == std::string_view::npos) return "a tag does not end";
    const std::string_view tag = markup.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string_view::npos) return "a tag within the tag " + std::string(tag);
    if (tag.starts_with('!') || tag.ends_with('/')) continue;
    const std::string name(tag.substr(0, tag.find_first_of(" \n")));
    if (!name.starts_with('/')) {
      open.push_back(name);
    } else {
      if (open.empty() || "/" + open.back() != name) return "<" + name + "> closes nothing";
      open.pop_back();
    }
  }
  if (!open.empty()) return "<" + open.back() + "> is not closed";
  for (const char* word : {"http:", "https:", "src=\"/", "url(", "<script", "<link", "@import", "<iframe"})
    if (markup.find(word) != std::string_view::npos) return std::string("it has ") + word;
  return "";
}

}  // namespace fastvlm::report
