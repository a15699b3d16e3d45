// Tables and lines that fit a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fastvlm::cli {

// Control characters as \xNN; a line feed stays.
std::string without_controls(std::string_view text);

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t columns(std::string_view text);

// The first `width` characters, the last one an ellipsis when something was cut.
std::string cut_to(std::string_view text, std::size_t width);

using Rows = std::vector<std::vector<std::string>>;

// Columns padded to their widest cell, two blanks between them. With a `width` (0: none) the widest columns are narrowed until
// a line fits, and their cells go on below: at a blank, else anywhere. No column becomes narrower than 8, so a table of many
// columns may still be wider.
std::string table_text(const Rows& rows, std::size_t width);

}  // namespace fastvlm::cli
