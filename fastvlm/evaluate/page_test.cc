#include "fastvlm/evaluate/page.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/image/png_writer.h"
#include "fastvlm/report/well_formed_for_tests.h"

namespace fastvlm {
namespace {

using Marked = std::pair<std::string, std::string>;

TEST(Page, MarksTheFirstWordThatDiffers) {
  EXPECT_EQ(marked_departure("a red cat", "a blue cat"), (Marked{"a <mark>red</mark> cat", "a <mark>blue</mark> cat"}));
  EXPECT_EQ(marked_departure("a cat", "a cat here"), (Marked{"a cat <mark>(ends)</mark>", "a cat <mark>here</mark>"}));
  EXPECT_EQ(marked_departure("<b>", "<b>"), (Marked{"&lt;b&gt;", "&lt;b&gt;"}));
  EXPECT_EQ(marked_departure("<b> x", "<b>  y"), (Marked{"&lt;b&gt; <mark>x</mark>", "&lt;b&gt;  <mark>y</mark>"}));
  EXPECT_EQ(marked_departure("", "x"), (Marked{" <mark>(ends)</mark>", "<mark>x</mark>"}));
}

ResultRow row(std::size_t number, std::vector<std::int32_t> ids, std::vector<std::int32_t> others, double score, double kl) {
  ResultRow row{.question = number, .reply = {.answer = "one <b>", .ids = std::move(ids), .finish = "stop", .scores = {score}}};
  row.comparison = Comparison{
      .reply = {.answer = "one two", .ids = std::move(others), .scores = {1}}, .kl = {kl, kl / 2}, .agrees = {1, 0}, .tokens = {1}};
  return row;
}

struct Compared {
  Results results;
  QuestionSet set;
};

Compared compared(const Path& folder) {
  Compared c;
  c.results.header = {.against = AnsweredBy{.recipe = "w4"}, .questions = 5, .metrics = {"exact"}};
  c.results.rows = {row(1, {1}, {1}, 1, 0.1),
                    row(2, {1}, {2}, 1, 0.2),
                    row(3, {1}, {1}, 0, 0.1),
                    row(4, {1}, {1}, 1, 0.5),
                    {.question = 5, .error = "no <picture>"}};
  for (std::size_t i = 1; i <= 5; ++i)
    c.set.questions.push_back(
        {.number = i, .image = "p.png", .image_file = folder / "p.png", .prompt = "What <i>?", .answers = {"one & two"}});
  c.set.questions[3].image_file = folder / "missing.png";
  c.set.questions[2].image.clear();
  return c;
}

TEST(Page, WhatIsWorthALookComesFirst) {
  const Compared c = compared("/");
  EXPECT_EQ(rows_to_show(c.results, 10), (std::vector<std::size_t>{4, 1, 2, 3, 0}));
  EXPECT_EQ(rows_to_show(c.results, 2), (std::vector<std::size_t>{4, 1}));
}

TEST(Page, IsWellFormedAndAsksForNothing) {
  const FolderForTests folder;
  ASSERT_TRUE(write_png(folder / "p.png", Image::filled(30, 20, {1, 2, 3})).ok());
  const Compared c = compared(folder.path());
  const std::string page = results_page(c.results, c.set, summarise(c.results), {.missed = {"`max_kl` <x>"}});
  EXPECT_EQ(report::fault_of(page), "");
  for (const char* words :
       {"<svg ", "<mark>&lt;b&gt;</mark>", "data:image/jpeg;base64,", "the picture cannot be read", "no picture", "one &amp; two",
        "What &lt;i&gt;?", "no &lt;picture&gt;", "KL divergence by position", "`max_kl` &lt;x&gt;", "default-src 'none'"})
    EXPECT_NE(page.find(words), std::string::npos) << words;
  EXPECT_EQ(page.find(folder.path().string()), std::string::npos) << "no path of this machine";
  EXPECT_EQ(page, results_page(c.results, c.set, summarise(c.results), {.missed = {"`max_kl` <x>"}}));
}

TEST(Page, OfOneModelHasNoSecondColumn) {
  Compared c = compared("/");
  c.results.header.against.reset();
  for (ResultRow& one : c.results.rows) one.comparison.reset();
  const std::string page = results_page(c.results, c.set, summarise(c.results));
  EXPECT_EQ(report::fault_of(page), "");
  for (const char* words : {"answer other", "<mark>", ">other"}) EXPECT_EQ(page.find(words), std::string::npos) << words;
  EXPECT_EQ(page.find("<svg"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
