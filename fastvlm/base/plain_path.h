// Names that files of strangers give to other files.
#pragma once

#include <string_view>

namespace fastvlm {

// True when the name, taken relative to a folder, names something in that folder on every system: not empty, not absolute, no
// ".." component, no control character. "a..b" is a fine name. Links are not followed here.
bool stays_in_folder(std::string_view name);

// True for a name without any separator that is neither "." nor "..": a file right in the folder.
bool is_file_name(std::string_view name);

}  // namespace fastvlm
