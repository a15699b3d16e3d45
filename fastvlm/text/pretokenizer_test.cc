#include "fastvlm/text/pretokenizer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace fastvlm {
namespace {

using Pieces = std::vector<std::string>;

Pieces split(std::string_view text) {
  Pieces pieces;
  PieceScanner scanner(text);
  for (auto piece = scanner.next(); !piece.empty(); piece = scanner.next()) pieces.emplace_back(piece);
  return pieces;
}

TEST(Pretokenizer, KeepsOneCharacterInFrontOfAWord) {
  EXPECT_EQ(split("Hello world"), (Pieces{"Hello", " world"}));
  EXPECT_EQ(split("(a) \tb"), (Pieces{"(a", ")", " ", "\tb"}));
  EXPECT_EQ(split("\na"), (Pieces{"\n", "a"}));
}

TEST(Pretokenizer, CutsContractionsOfAnyCase) {
  EXPECT_EQ(split("it's I'LL we'Re"), (Pieces{"it", "'s", " I", "'LL", " we", "'Re"}));
  EXPECT_EQ(split("'sx 'lx"), (Pieces{"'s", "x", " '", "lx"}));
  EXPECT_EQ(split("a'\u017Fb"), (Pieces{"a", "'\u017F", "b"}));
  EXPECT_EQ(split("'"), (Pieces{"'"}));
  EXPECT_EQ(split("'r"), (Pieces{"'r"}));
}

TEST(Pretokenizer, CutsNumbersDigitByDigit) { EXPECT_EQ(split("x 12\u0663"), (Pieces{"x", " ", "1", "2", "\u0663"})); }

TEST(Pretokenizer, KeepsLineBreaksWithTheSymbolsBeforeThem) {
  EXPECT_EQ(split("end. !?\r\n\nx"), (Pieces{"end", ".", " !?\r\n\n", "x"}));
  EXPECT_EQ(split("  ,"), (Pieces{" ", " ,"}));
}

TEST(Pretokenizer, EndsWhiteSpaceBehindItsLastLineBreak) {
  EXPECT_EQ(split("a \n \n  b"), (Pieces{"a", " \n \n", " ", " b"}));
  EXPECT_EQ(split("a   b"), (Pieces{"a", "  ", " b"}));
  EXPECT_EQ(split("a   "), (Pieces{"a", "   "}));
  EXPECT_EQ(split("a  1"), (Pieces{"a", " ", " ", "1"}));
  EXPECT_EQ(split("a\u3000\u3000b"), (Pieces{"a", "\u3000", "\u3000b"}));
}

TEST(Pretokenizer, TakesMarksForSymbols) { EXPECT_EQ(split("e\u0323f"), (Pieces{"e", "\u0323f"})); }

TEST(Pretokenizer, HasNoPieceInEmptyText) { EXPECT_EQ(split(""), Pieces{}); }

}  // namespace
}  // namespace fastvlm
