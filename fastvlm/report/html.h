// Pages that need nothing from outside: one file with its style, pictures and plots. Written as XML, so that it is well-formed, and
// with a policy that lets no browser ask for anything.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm::report {

// Text for between tags and in attributes: the five characters of markup, and control characters as U+FFFD. Text that is no UTF-8
// is read with U+FFFD.
std::string escaped(std::string_view text);

// A whole page. `body` is markup, `title` text.
std::string page(std::string_view title, std::string_view body);

// "<h2>…</h2>".
std::string heading(std::string_view text);
std::string paragraph(std::string_view text);

// Cells are text; the first row is the head. Cells that look like numbers stand on the right.
std::string table(const std::vector<std::vector<std::string>>& rows);

// What can be opened under a line of text; `body` is markup.
std::string folded(std::string_view summary, std::string_view body);

// Whether a page may be written there: a new file, an empty one, or over another page. Anything else that lies there would be lost.
Status check_page_target(const Path& page);

}  // namespace fastvlm::report
