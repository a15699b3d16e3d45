// Tables and lines that fit a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace fastvlm::cli {

// What could draw over other text as \xNN for each of its bytes: control characters (C1 too), marks that turn the direction of writing,
// separators of lines, bytes that are not UTF-8. A line feed stays.
std::string without_controls(std::string_view text);

// The same with line feeds: for names out of foreign files, so that none can begin a line of its own.
std::string on_one_line(std::string_view text);

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t columns(std::string_view text);

// The first `width` characters, the last one an ellipsis when something was cut.
std::string cut_to(std::string_view text, std::size_t width);

// Help as CLI11 lays it out, with lines of at most `width` characters (0: as it is). Commands stay whole, so that they can be copied.
std::string help_text(std::string_view text, std::size_t width);

using Rows = std::vector<std::vector<std::string>>;

// Columns padded to their widest cell, two blanks between them. With a `width` (0: none) the widest columns are narrowed until
// a line fits, and their cells go on below: at a blank, else anywhere. A column keeps 8 characters where that is enough,
// and 3 in any case, so a table of very many columns may still be wider.
std::string table_text(const Rows& rows, std::size_t width);

}  // namespace fastvlm::cli
