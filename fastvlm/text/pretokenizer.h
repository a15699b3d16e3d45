// The pre-tokenisation rules of Qwen2, as a hand-written scanner: linear in the text, no regular expressions.
#pragma once

#include <cstdint>
#include <string_view>

namespace fastvlm {

// The rules that PieceScanner follows, as tokenizer.json spells them.
inline constexpr std::string_view kQwen2SplitPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

// Cuts text into the pieces within which BPE merges. Every byte belongs to exactly one piece.
class PieceScanner {
 public:
  // `text` must be well-formed UTF-8 and outlive the scanner.
  explicit PieceScanner(std::string_view text);

  // The next piece; empty at the end of the text.
  std::string_view next();

 private:
  const char* end_of_piece(const char* begin) const;
  const char* end_of_contraction(const char* apostrophe) const;
  const char* end_of_white_space(const char* begin) const;
  const char* skip_letters(const char* next) const;
  const char* skip_symbols_and_line_breaks(const char* next) const;
  std::uint8_t read_class(const char*& next) const;

  const std::uint8_t* classes_;
  const char* next_;
  const char* end_;
};

}  // namespace fastvlm
