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

TEST(Table, ShowsWhatCouldDrawOverOtherText) {
  const std::pair<const char*, const char*> cases[] = {{"a\x1b[2Jb", "a\\x1b[2Jb"},
                                                       {"a\tb\rc\x7f", "a\\x09b\\x0dc\\x7f"},
                                                       {"a\nb", "a\\x0ab"},
                                                       {"a\xc2\x9b"
                                                        "2J",
                                                        "a\\xc2\\x9b2J"},
                                                       {"\u202eabc\u2069", "\\xe2\\x80\\xaeabc\\xe2\\x81\\xa9"},
                                                       {"a\xff\xc3", "a\\xff\\xc3"},
                                                       {"größe “x” 目", "größe “x” 目"}};
  for (const auto& [name, shown] : cases) EXPECT_EQ(table_text({{name}}, 0), std::string(shown) + "\n");
  EXPECT_EQ(without_controls("a\nb\xc2\x85"), "a\nb\\xc2\\x85");
  EXPECT_EQ(on_one_line("a\nb"), "a\\x0ab");
}

TEST(Table, FitsFortyColumnsWithSixColumns) {
  const Rows rows = {{"context", "weights", "size, about", "memory to compile, about", "graphs", "more"},
                     {"vision", "512.0 MB", "1234567890", "1.5 GB", "vision_1024", "something"}};
  const std::string text = table_text(rows, 40);
  for (std::size_t begin = 0, end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(columns(text.substr(begin, end - begin)), 40u);
}

TEST(Table, HelpFitsTheTerminalAndCommandsStayWhole) {
  const std::string text =
      "  --recipe NAME               How the decoder's numbers are stored, of which there are many kinds to choose from\n"
      "                              A line that goes on below its option and is far too long as well, as many are\n"
      "Works from a table of rules; no runtime is needed, except with --compile. Exit code 1 when one is refused.\n"
      "  fastvlm-npu export --model-dir FastVLM-0.5B --output-dir out --target sm8750 --recipe fp16,w8 --image-size 512\n";
  EXPECT_EQ(help_text(text, 0), text);
  for (const std::size_t width : {40u, 60u, 80u}) {
    const std::string laid = help_text(text, width);
    for (std::size_t begin = 0, end = 0; (end = laid.find('\n', begin)) != std::string::npos; begin = end + 1)
      if (const std::string line = laid.substr(begin, end - begin); line.find("fastvlm-npu") == std::string::npos) {
        EXPECT_LE(columns(line), width) << line;
      }
    EXPECT_NE(laid.find("--recipe fp16,w8 --image-size 512\n"), std::string::npos);
  }
  EXPECT_NE(help_text(text, 80).find("stored, of which\n                              there are many"), std::string::npos)
      << help_text(text, 80);
}

TEST(Table, ALineIsCutBetweenCharacters) {
  EXPECT_EQ(cut_to("größer", 6), "größer");
  EXPECT_EQ(cut_to("größer", 4), "grö…");
  EXPECT_EQ(cut_to("größer", 0), "");
}

}  // namespace
}  // namespace fastvlm::cli
