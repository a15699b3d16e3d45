#include "fastvlm/base/file_content.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "fastvlm/base/ascii.h"

namespace fastvlm {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view begin;
  std::size_t at;
  std::string_view meaning;
};

// Bytes that name a format for certain.
constexpr std::array kSignatures = {
    Signature{"version https://git-lfs.github.com/spec/"sv, 0,
              "a Git LFS pointer: the file itself was not downloaded (run git lfs pull, or download it again)"},
    Signature{"version https://hawser.github.com/spec/"sv, 0, "a Git LFS pointer: the file itself was not downloaded (run git lfs pull)"},
    Signature{"# xet version"sv, 0, "a Xet pointer: the file itself was not downloaded (download it again)"},
    Signature{"/annex/objects/"sv, 0, "a git-annex pointer: the file itself was not downloaded (run git annex get)"},
    Signature{"PK\x03\x04"sv, 0, "a zip archive, or a PyTorch file, which is one; unpack it, or save the model as safetensors"},
    Signature{"\x1f\x8b"sv, 0, "a gzip archive; unpack it and name what is inside"},
    Signature{"ustar"sv, 257, "a tar archive; unpack it and name what is inside"},
    Signature{"BZh"sv, 0, "a bzip2 archive; unpack it and name what is inside"},
    Signature{"\xfd\x37zXZ"sv, 0, "an xz archive; unpack it and name what is inside"},
    Signature{"\x28\xb5\x2f\xfd"sv, 0, "a zstd archive; unpack it and name what is inside"},
    Signature{"7z\xbc\xaf\x27\x1c"sv, 0, "a 7z archive; unpack it and name what is inside"},
    Signature{"Rar!"sv, 0, "a RAR archive; unpack it and name what is inside"},
    Signature{"GGUF"sv, 0, "a GGUF file of llama.cpp; export needs the original checkpoint"},
    Signature{"\x89HDF"sv, 0, "an HDF5 file; export needs the checkpoint as safetensors"},
    Signature{"\x93NUMPY"sv, 0, "a NumPy array; export needs the checkpoint as safetensors"},
    Signature{"%PDF-"sv, 0, "a PDF document; download the file again"},
    Signature{"\x89PNG"sv, 0, "a PNG picture; download the file again"},
    Signature{"\xff\xd8\xff"sv, 0, "a JPEG picture; download the file again"},
    Signature{"\x7f"
              "ELF"sv,
              0, "a program; download the file again"},
    Signature{"\xff\xfe"sv, 0, "UTF-16 text, as PowerShell writes it; save it as UTF-8"},
    Signature{"\xfe\xff"sv, 0, "UTF-16 text; save it as UTF-8"},
};

constexpr std::array kUnfinished = {".incomplete"sv,  ".part"sv, ".partial"sv,    ".crdownload"sv, ".download"sv, ".aria2"sv,
                                    ".aria2__temp"sv, ".tmp"sv,  ".opdownload"sv, ".!ut"sv,        ".filepart"sv};

bool is_text(std::string_view head) {
  return std::ranges::all_of(head, [](char c) { return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t'; });
}

std::string_view without_blanks(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  return text;
}

// The first words of a text, fit for a message.
std::string first_words(std::string_view text) {
  constexpr std::size_t kMost = 60;
  std::string words;
  for (char c : text.substr(0, kMost)) {
    if (c == '\n' || c == '\r') break;
    words += c == '"' ? '\'' : c;
  }
  // No half of a character at the end.
  while (!words.empty() && words.size() < text.size() && (static_cast<unsigned char>(words.back()) & 0x80) != 0) words.pop_back();
  return words;
}

bool is_page(std::string_view text) {
  const std::string begin = in_small_letters(text.substr(0, 16));
  return std::ranges::any_of(std::array{"<!doctype"sv, "<html"sv, "<head"sv, "<body"sv, "<?xml"sv, "<error"sv},
                             [&](std::string_view tag) { return begin.starts_with(tag); });
}

}  // namespace

std::optional<std::string> known_content(std::string_view head, std::uint64_t size) {
  if (size == 0) return "an empty file; get it again";
  for (const Signature& row : kSignatures)
    if (head.size() > row.at && head.substr(row.at).starts_with(row.begin)) return std::string(row.meaning);
  if (head.size() >= 16 && std::ranges::all_of(head, [](char c) { return c == '\0'; }))
    return "a file of zeros, as a download that was interrupted leaves it; download it again";
  if (head.size() > 2 && head[0] == '\x80' && head[1] >= 2 && head[1] <= 5)
    return "a pickle, as PyTorch writes them; save the model as safetensors";
  if (is_text(head) && is_page(without_blanks(head)))
    return "an HTML or XML page, as servers send it in place of a file (a log-in or error page); download it again";
  return std::nullopt;
}

std::optional<std::string> wrong_content(std::string_view head, std::uint64_t size) {
  if (auto what = known_content(head, size)) return what;
  if (!is_text(head)) return std::nullopt;
  return fmt::format("text (\"{}\"), perhaps the error answer of a server; download it again", first_words(without_blanks(head)));
}

std::optional<std::string> wrong_json(std::string_view text) {
  const std::string_view head = text.substr(0, kContentHead), words = without_blanks(head);
  if (auto what = known_content(head, text.size())) return what;
  if (words.empty() || !is_text(head) || std::isalpha(static_cast<unsigned char>(words.front())) == 0) return std::nullopt;
  for (std::string_view value : {"true"sv, "false"sv, "null"sv})
    if (words.starts_with(value)) return std::nullopt;
  return fmt::format("text that begins with \"{}\"", first_words(words));
}

std::optional<std::string> server_answer(const Json& json) {
  constexpr std::size_t kMostKeys = 8;
  if (!json.is_object() || json.size() > kMostKeys) return std::nullopt;
  for (const char* key : {"error", "errors", "message", "detail", "Message"}) {
    const Json* value = json_find(json, key);
    if (value == nullptr) continue;
    const std::string text = value->is_string() ? value->get<std::string>() : value->dump(-1, ' ', false, Json::error_handler_t::replace);
    return fmt::format("the error answer of a server (\"{}\") in place of the file; download it again", first_words(text));
  }
  return std::nullopt;
}

std::string_view unfinished_suffix(std::string_view file_name) {
  for (std::string_view suffix : kUnfinished)
    if (file_name.ends_with(suffix) && file_name.size() > suffix.size()) return suffix;
  return {};
}

bool is_dangling_link(const Path& path) {
  std::error_code ignored;
  return std::filesystem::is_symlink(path, ignored) && !std::filesystem::exists(path, ignored);
}

}  // namespace fastvlm
