// What a file really holds when it is not what its name says: pointers, pages and archives that arrive in place of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"

namespace fastvlm {

// As many bytes from the begin of a file as wrong_content() looks at.
inline constexpr std::size_t kContentHead = 512;

// "a Git LFS pointer: …" with what to do, for the first bytes of a file of `size` bytes that name another format for certain;
// nothing when they do not.
std::optional<std::string> known_content(std::string_view head, std::uint64_t size);

// The same for a file that should hold tensors and does not: any text is wrong there.
std::optional<std::string> wrong_content(std::string_view head, std::uint64_t size);

// The same for text that should be JSON and is not.
std::optional<std::string> wrong_json(std::string_view text);

// What a server said in place of a file: the message of a JSON object such as {"error": "Repository not found"}.
std::optional<std::string> server_answer(const Json& json);

// The suffix of a download that is not finished (".part", ".crdownload", ".incomplete", …), or an empty text.
std::string_view unfinished_suffix(std::string_view file_name);

// A link whose target is not there, as copies of hub caches have.
bool is_dangling_link(const Path& path);

}  // namespace fastvlm
