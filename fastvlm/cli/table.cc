#include "fastvlm/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "fastvlm/text/utf8.h"

namespace fastvlm::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;  // of a column, as long as a line fits so
constexpr std::size_t kNarrowestOfAll = 3;

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }

// Bytes of the first `count` characters.
std::size_t bytes_of(std::string_view text, std::size_t count) {
  std::size_t at = 0;
  for (; at < text.size(); ++at)
    if (starts_character(text[at]) && count-- == 0) break;
  return at;
}

std::vector<std::size_t> widths_of(const Rows& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], columns(row[i]));
    }
  return widths;
}

// Takes from the widest column, one by one: columns that are narrow already keep their shape.
void narrow(std::vector<std::size_t>& widths, std::size_t width) {
  std::size_t line = widths.empty() ? 0 : (widths.size() - 1) * kGap;
  for (std::size_t one : widths) line += one;
  for (const std::size_t narrowest : {kNarrowest, kNarrowestOfAll})
    while (line > width) {
      auto widest = std::max_element(widths.begin(), widths.end());
      if (widest == widths.end() || *widest <= narrowest) break;
      --*widest, --line;
    }
}

// A cell as lines of at most `width` characters.
std::vector<std::string> wrapped(std::string_view cell, std::size_t width) {
  std::vector<std::string> lines;
  while (columns(cell) > width) {
    std::size_t end = bytes_of(cell, width);
    const std::size_t blank = cell.rfind(' ', end);
    const bool at_blank = blank != std::string_view::npos && blank > 0 && blank >= end / 2;
    if (at_blank) end = blank;
    lines.emplace_back(cell.substr(0, end));
    cell.remove_prefix(at_blank ? end + 1 : end);
  }
  lines.emplace_back(cell);
  return lines;
}

std::string row_text(const std::vector<std::string>& row, const std::vector<std::size_t>& widths) {
  std::vector<std::vector<std::string>> cells;
  std::size_t height = 1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    cells.push_back(wrapped(row[i], widths[i]));
    height = std::max(height, cells.back().size());
  }
  std::string text;
  for (std::size_t line = 0; line < height; ++line) {
    std::string written;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const std::string cell = line < cells[i].size() ? cells[i][line] : "";
      written += cell;
      if (i + 1 < cells.size()) written.append(widths[i] - columns(cell) + kGap, ' ');
    }
    // A line that only goes on below has no need of blanks at its end.
    if (height > 1) written.erase(written.find_last_not_of(' ') + 1);
    text += written + "\n";
  }
  return text;
}

constexpr std::size_t kHelpColumn = 30;  // where CLI11 begins to say what an option does
constexpr std::size_t kFewColumns = 60;  // on these such text begins below the option

// The text with each line behind `indent` blanks.
std::string indented(std::string_view text, std::size_t indent, std::size_t width) {
  std::string laid;
  for (const std::string& line : wrapped(text, std::max(width, indent + kNarrowest) - indent))
    laid += (laid.empty() ? "" : "\n") + std::string(indent, ' ') + line;
  return laid;
}

std::string help_line(std::string_view line, std::size_t width) {
  const std::size_t begin = std::min(line.find_first_not_of(' '), line.size());
  if (columns(line) <= width || line.substr(begin).starts_with("fastvlm-npu ")) return std::string(line);
  if (line.size() <= kHelpColumn || line.substr(kHelpColumn - 2, 2) != "  ") return indented(line.substr(begin), begin, width);
  const std::string_view text = line.substr(kHelpColumn), option = line.substr(0, line.find_last_not_of(' ', kHelpColumn - 1) + 1);
  if (width >= kFewColumns) return std::string(line.substr(0, kHelpColumn)) + indented(text, kHelpColumn, width).substr(kHelpColumn);
  constexpr std::size_t kBelow = 6;
  return (begin >= kHelpColumn ? "" : std::string(option) + "\n") + indented(text, kBelow, width);
}

struct CodeRange {
  char32_t first;
  char32_t last;
};
constexpr CodeRange kDrawsOver[] = {{0, 0x1f},        {0x7f, 0x9f},       // controls, C0 and C1
                                    {0x061c, 0x061c}, {0x200e, 0x200f},   // marks of direction
                                    {0x2028, 0x202e},                     // separators of lines, embeddings and overrides
                                    {0x2066, 0x2069}, {0xfeff, 0xfeff}};  // isolates; a mark that nobody sees

std::string escaped(std::string_view text, bool line_feeds) {
  std::string clean;
  clean.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = read_utf8(text, at);
    const bool kept = step.code_point == '\n' && !line_feeds;
    const bool bad = step.status != Utf8Status::kGood || std::ranges::any_of(kDrawsOver, [&](const CodeRange& range) {
                       return step.code_point >= range.first && step.code_point <= range.last;
                     });
    const std::string_view bytes = text.substr(at, step.length);
    at += step.length;
    if (kept || !bad)
      clean += bytes;
    else
      for (const char c : bytes) clean += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
  }
  return clean;
}

}  // namespace

std::string without_controls(std::string_view text) { return escaped(text, /*line_feeds=*/false); }

std::string on_one_line(std::string_view text) { return escaped(text, /*line_feeds=*/true); }

std::size_t columns(std::string_view text) { return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character)); }

std::string cut_to(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  return width == 0 ? "" : std::string(text.substr(0, bytes_of(text, width - 1))) + "…";
}

std::string help_text(std::string_view text, std::size_t width) {
  if (width == 0) return std::string(text);
  std::string laid;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    laid += help_line(text.substr(0, end), width);
    if (end == text.size()) break;
    laid += '\n';
    text.remove_prefix(end + 1);
  }
  return laid;
}

std::string table_text(const Rows& rows, std::size_t width) {
  Rows clean = rows;
  for (auto& row : clean)
    for (std::string& cell : row) cell = on_one_line(cell);
  std::vector<std::size_t> widths = widths_of(clean);
  if (width > 0) narrow(widths, width);
  std::string text;
  for (const auto& row : clean) text += row_text(row, widths);
  return text;
}

}  // namespace fastvlm::cli
