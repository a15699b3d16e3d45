#include "fastvlm/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

namespace fastvlm::cli {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kNarrowest = 8;

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
  while (line > width) {
    auto widest = std::max_element(widths.begin(), widths.end());
    if (widest == widths.end() || *widest <= kNarrowest) return;
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

}  // namespace

std::string without_controls(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f)
      clean += fmt::format("\\x{:02x}", byte);
    else
      clean += c;
  }
  return clean;
}

std::size_t columns(std::string_view text) { return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character)); }

std::string cut_to(std::string_view text, std::size_t width) {
  if (columns(text) <= width) return std::string(text);
  return width == 0 ? "" : std::string(text.substr(0, bytes_of(text, width - 1))) + "…";
}

std::string table_text(const Rows& rows, std::size_t width) {
  Rows clean = rows;
  for (auto& row : clean)
    for (std::string& cell : row) cell = without_controls(cell);
  std::vector<std::size_t> widths = widths_of(clean);
  if (width > 0) narrow(widths, width);
  std::string text;
  for (const auto& row : clean) text += row_text(row, widths);
  return text;
}

}  // namespace fastvlm::cli
