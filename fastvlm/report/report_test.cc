#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/image/png_writer.h"
#include "fastvlm/report/html.h"
#include "fastvlm/report/picture.h"
#include "fastvlm/report/plot.h"
#include "fastvlm/report/well_formed_for_tests.h"

namespace fastvlm::report {
namespace {

constexpr const char* kNasty = "<script>alert(\"x\")</script> & 'y' \x01 \xFF ä";

TEST(Report, TextIsNeverMarkup) {
  EXPECT_EQ(escaped("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;");
  EXPECT_EQ(escaped("ä\n"), "ä\n");
  EXPECT_EQ(escaped("\x01\xFF"), "\uFFFD\uFFFD");
  for (const std::string& markup : {page(kNasty, heading(kNasty) + paragraph(kNasty)), table({{kNasty, "b"}, {"1.5 %", kNasty}}),
                                    line_plot({.title = kNasty, .x_name = kNasty, .y_name = kNasty, .series = {{kNasty, {1, 2}}}}),
                                    histogram({.title = kNasty, .x_name = kNasty, .bars = {{kNasty, 3}}})})
    EXPECT_EQ(fault_of(markup), "") << markup;
}

TEST(Report, TheCheckOfMarkupFindsFaults) {
  for (const char* wrong : {"<b>", "</b>", "<b><i></b></i>", "<b", "<img src=\"https://x/y.png\"/>", "<a <b>"})
    EXPECT_NE(fault_of(wrong), "") << wrong;
  EXPECT_EQ(fault_of("<b>x</b><br/>"), "");
}

TEST(Report, PlotsOfOddValuesArePlots) {
  for (const std::vector<double>& values : {std::vector<double>{}, {0}, {0, 0}, {1e-300, 1}, {5, 5, 5}, std::vector<double>(1000, 0.1)})
    for (const bool logarithmic : {false, true}) {
      const std::string plot =
          line_plot({.title = "t", .x_name = "x", .y_name = "y", .series = {{"s", values}}, .logarithmic = logarithmic});
      EXPECT_EQ(fault_of(plot), "");
      EXPECT_EQ(plot.find("nan"), std::string::npos) << plot;
      EXPECT_EQ(plot.find("inf"), std::string::npos) << plot;
    }
  EXPECT_EQ(fault_of(histogram({.title = "t", .x_name = "x", .bars = {}})), "");
}

TEST(Report, CountsByPowersOfTen) {
  const std::vector<Bar> bars = decades_of({0, 0.002, 0.009, 0.2, 1e-20});
  ASSERT_EQ(bars.size(), 13U);
  EXPECT_EQ(bars[0].label, "0");
  EXPECT_EQ(bars[0].count, 1);
  EXPECT_EQ(bars[1].label, "1e-12");
  EXPECT_EQ(bars[1].count, 1);
  EXPECT_EQ(bars[10].label, "1e-3");
  EXPECT_EQ(bars[10].count, 2);
  EXPECT_EQ(bars[12].count, 1);
}

TEST(Report, Base64IsThatOfTheStandard) {
  const char* kPairs[][2] = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& pair : kPairs) EXPECT_EQ(base64(pair[0]), pair[1]);
  EXPECT_EQ(base64("\xFB\xFF\xFE"), "+//+");
}

TEST(Report, PicturesAreMadeSmallerAndLieInThePage) {
  const FolderForTests folder;
  ASSERT_TRUE(write_png(folder / "wide.png", Image::filled(400, 100, {10, 200, 30})).ok());
  const auto picture = embedded_picture(folder / "wide.png", 192, "a \"wide\" one");
  ASSERT_TRUE(picture.ok()) << picture.error().message;
  EXPECT_NE(picture->find("width=\"192\" height=\"48\" alt=\"a &quot;wide&quot; one\""), std::string::npos) << *picture;
  EXPECT_TRUE(picture->starts_with("<img src=\"data:image/jpeg;base64,/9j/"));
  EXPECT_FALSE(embedded_picture(folder / "none.png", 192, "").ok());
}

}  // namespace
}  // namespace fastvlm::report
