// Values worked out by hand. scripts/check_metrics.py compares with public implementations.
#include "fastvlm/evaluate/metrics.h"

#include <gtest/gtest.h>

#include "fastvlm/evaluate/text_forms.h"

namespace fastvlm {
namespace {

using Texts = std::vector<std::string>;

TEST(Metrics, ExactMatchMindsEverythingButMarginsAndCase) {
  EXPECT_EQ(exact_match(" Cat\n", Texts{"dog", "cat"}), 1);
  EXPECT_EQ(exact_match("ÄPFEL", Texts{"äpfel"}), 1);
  EXPECT_EQ(exact_match("cat.", Texts{"cat"}), 0);
  EXPECT_EQ(exact_match("a  cat", Texts{"a cat"}), 0);
  EXPECT_EQ(exact_match("", Texts{"cat"}), 0);
}

TEST(Metrics, ContainsLooksForTheAnswerInTheText) {
  EXPECT_EQ(contains("It is a Cat.", Texts{"dog", "cat"}), 1);
  EXPECT_EQ(contains("one\ntwo", Texts{"One two"}), 1);
  EXPECT_EQ(contains("ca t", Texts{"cat"}), 0);
}

TEST(Metrics, NormalisesForVqa) {
  struct Case {
    const char* text;
    const char* normalised;
  };
  for (const Case& c : {Case{"The Cat!", "cat"}, Case{"two dogs", "2 dogs"}, Case{"none", "0"}, Case{"dont", "don't"},
                        Case{"1,000", "1000"}, Case{"3.5", "3.5"}, Case{"yes.", "yes"}, Case{"black/white", "black white"},
                        Case{"black / white", "black white"}, Case{"man's hat", "man 's hat"}, Case{"an  apple\tpie", "apple pie"},
                        Case{"(left)", "left"}, Case{"a", ""}, Case{"", ""}, Case{"well-known", "well known"}})
    EXPECT_EQ(vqa_normalised(c.text), c.normalised) << c.text;
}

TEST(Metrics, VqaAccuracyLeavesEachPersonOutOnce) {
  const auto ten = [](int cats) {
    Texts answers(10, "dog");
    for (int i = 0; i < cats; ++i) answers[static_cast<std::size_t>(i)] = "a cat";
    return answers;
  };
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", ten(0)), 0);
  // One says cat: without that person 0 of 3, without another one 1 of 3. (1 * 0 + 9 * 1/3) / 10.
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", ten(1)), 0.3);
  // (2 * 1/3 + 8 * 2/3) / 10.
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", ten(2)), 0.6);
  // (3 * 2/3 + 7 * 1) / 10.
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", ten(3)), 0.9);
  EXPECT_DOUBLE_EQ(vqa_accuracy("Cat.", ten(4)), 1);
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", ten(10)), 1);
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", Texts{"cat"}), 1);
  EXPECT_DOUBLE_EQ(vqa_accuracy("cat", Texts{"dog"}), 0);
}

TEST(Metrics, AnlsIsTheSimilarityToTheNearestAnswer) {
  EXPECT_DOUBLE_EQ(anls("Cat", Texts{"cat"}), 1);
  EXPECT_DOUBLE_EQ(anls("cats", Texts{"dog", "cat"}), 0.75);
  // Two of four letters: the distance is one half, no longer below it.
  EXPECT_DOUBLE_EQ(anls("caxx", Texts{"cats"}), 0);
  EXPECT_DOUBLE_EQ(anls("a  big cat", Texts{"A big cat"}), 1);
  EXPECT_DOUBLE_EQ(anls("größe", Texts{"grösse"}), 1 - 2.0 / 6);
  EXPECT_DOUBLE_EQ(anls("", Texts{"cat"}), 0);
}

TEST(Metrics, RelaxedAccuracyTakesNumbersWithinFiveOfAHundred) {
  EXPECT_EQ(relaxed_accuracy("105", Texts{"100"}), 1);
  EXPECT_EQ(relaxed_accuracy("105.1", Texts{"100"}), 0);
  EXPECT_EQ(relaxed_accuracy("12.5%", Texts{"0.125"}), 1);
  EXPECT_EQ(relaxed_accuracy("-95", Texts{"-100"}), 1);
  EXPECT_EQ(relaxed_accuracy("0.01", Texts{"0"}), 0);
  EXPECT_EQ(relaxed_accuracy("0", Texts{"0"}), 1);
  EXPECT_EQ(relaxed_accuracy("Blue", Texts{"red", "blue"}), 1);
  EXPECT_EQ(relaxed_accuracy("blue.", Texts{"blue"}), 0);
}

TEST(Metrics, FindsTheLetterThatAnAnswerChooses) {
  const std::vector<Choice> choices = {{'A', "red"}, {'B', "dark blue"}, {'C', "green"}};
  struct Case {
    const char* answer;
    char letter;  // '-': none
  };
  for (const Case& c : {Case{"B", 'B'}, Case{"B.", 'B'}, Case{"(C)", 'C'}, Case{"(A) or rather (B)", 'B'}, Case{"The answer is C", 'C'},
                        Case{"B. dark blue", 'B'}, Case{"Dark blue", 'B'}, Case{"It is clear that the shape is dark blue here", 'B'},
                        Case{"blue", '-'}, Case{"", '-'}, Case{"D", '-'}, Case{"CAB", '-'}})
    EXPECT_EQ(chosen_letter(c.answer, choices).value_or('-'), c.letter) << c.answer;
  EXPECT_EQ(choice_accuracy("B", {.answers = {"B"}, .choices = choices}), 1);
  EXPECT_EQ(choice_accuracy("A", {.answers = {"B"}, .choices = choices}), 0);
}

TEST(Metrics, ReadsNumbersAsFloatDoes) {
  double number = 0;
  for (const char* text : {" 12 ", "+3", "-.5", "5.", "1e3"}) EXPECT_TRUE(number_from(text, number)) << text;
  for (const char* text : {"", "1,000", "12 %", "1 2", "+-3", "0x10", "one", "++1"}) EXPECT_FALSE(number_from(text, number)) << text;
}

TEST(Metrics, AreFoundByNameAndChosenByTheSet) {
  for (const Metric& metric : all_metrics()) EXPECT_EQ(find_metric(metric.name).value(), &metric);
  EXPECT_NE(find_metric("bleu").error().message.find("exact, contains, vqa, anls, relaxed, choice"), std::string::npos);
  EXPECT_EQ(default_metrics(std::vector<Question>{{.answers = {"x"}}}), Texts{"exact"});
  EXPECT_EQ(default_metrics(std::vector<Question>{{.answers = {"x", "y"}}}), (Texts{"exact", "vqa"}));
  EXPECT_EQ(default_metrics(std::vector<Question>{{.answers = {"A"}, .choices = {{'A', "x"}, {'B', "y"}}}}), (Texts{"exact", "choice"}));
  EXPECT_TRUE(default_metrics(std::vector<Question>{{.prompt = "x"}}).empty());
}

}  // namespace
}  // namespace fastvlm
