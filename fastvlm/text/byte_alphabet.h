// The byte alphabet of byte-level BPE: every byte is spelled as one printable character (the space as U+0120), so that
// vocabulary files are readable text.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fastvlm {

// The spelling of bytes, always well-formed UTF-8.
std::string spell_bytes(std::string_view bytes);

// The bytes of a spelling; nothing when a character is outside the alphabet.
std::optional<std::string> read_spelling(std::string_view spelling);

}  // namespace fastvlm
