#include "fastvlm/cli/table.h"

#include <gtest/gtest.h>

namespace fastvlm::cli {
namespace {

const Rows kRows = {{"file", "what it is"}, {"a.onnx", "the tower of the model, whole"}, {"é.bin", "a table"}};

TEST(Table, PadsEachColumnToItsWidestCell) {
  EXPECT_EQ(table_text(kRows, 0),
            "file    what it is\n"
            "a.onnx  the tower of the model, whole\n"
            "é.bin   a table\n");
}

TEST(Table, WrapsTheWidestColumnAtBlanksWhenTheTerminalIsNarrow) {
  EXPECT_EQ(table_text(kRows, 24),
            "file    what it is\n"
            "a.onnx  the tower of the\n"
            "        model, whole\n"
            "é.bin   a table\n");
}

TEST(Table, CutsAWordThatIsLongerThanItsColumn) {
  EXPECT_EQ(table_text({{"x", "fastvlm_decoder_with_projection.onnx"}}, 19),
            "x  fastvlm_decoder_\n"
            "   with_projection.\n"
            "   onnx\n");
}

TEST(Table, NoLineIsWiderThanTheTerminalWhereThatCanBe) {
  for (std::size_t width = 20; width < 60; ++width) {
    const std::string text = table_text(kRows, width);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = text.find('\n', begin);
      EXPECT_LE(columns(text.substr(begin, end - begin)), width);
      begin = end + 1;
    }
  }
}

TEST(Table, ShowsControlCharacters) { EXPECT_EQ(table_text({{"a\x1b[2Jb"}}, 0), "a\\x1b[2Jb\n"); }

TEST(Table, ALineIsCutBetweenCharacters) {
  EXPECT_EQ(cut_to("größer", 6), "größer");
  EXPECT_EQ(cut_to("größer", 4), "grö…");
  EXPECT_EQ(cut_to("größer", 0), "");
}

}  // namespace
}  // namespace fastvlm::cli
