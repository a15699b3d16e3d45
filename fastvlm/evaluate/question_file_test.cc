#include "fastvlm/evaluate/question_file.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

Result<QuestionSet> parse(std::string_view data, std::string_view answers = "", SetFormat format = SetFormat::kDetect) {
  return parse_questions({.data = data, .answers = answers},
                         {.data = "/sets/set", .answers = answers.empty() ? "" : "/sets/answers", .format = format});
}

// How the same three questions look in each form.
struct Form {
  const char* name;
  const char* data;
  const char* answers;
};
const Form kForms[] = {
    {"our own lines",
     "{\"id\": \"a\", \"image\": \"1.png\", \"prompt\": \"What?\", \"answer\": \"cat\"}\n"
     "\n{\"id\": \"b\", \"image\": \"2.png\", \"prompt\": \"Who?\", \"answers\": [\"dog\"]}\r\n",
     ""},
    {"one document of lines",
     "[{\"id\": \"a\", \"image\": \"1.png\", \"question\": \"What?\", \"answer\": \"cat\"},\n"
     " {\"id\": \"b\", \"image\": \"2.png\", \"question\": \"Who?\", \"answer\": \"dog\"}]",
     ""},
    {"question file of LLaVA with its answers",
     "{\"question_id\": \"a\", \"image\": \"1.png\", \"text\": \"What?\"}\n{\"question_id\": \"b\", \"image\": \"2.png\", \"text\": "
     "\"Who?\"}",
     "{\"question_id\": \"b\", \"text\": \"dog\"}\n{\"question_id\": \"a\", \"text\": \"cat\"}"},
    {"conversations of LLaVA",
     "[{\"id\": \"a\", \"image\": \"1.png\", \"conversations\": [{\"from\": \"human\", \"value\": \"<image>\\nWhat?\"},"
     "  {\"from\": \"gpt\", \"value\": \"cat\"}, {\"from\": \"human\", \"value\": \"And?\"}, {\"from\": \"gpt\", \"value\": \"no\"}]},"
     " {\"id\": \"b\", \"image\": \"2.png\", \"conversations\": [{\"from\": \"human\", \"value\": \"Who?\\n<image>\"},"
     "  {\"from\": \"gpt\", \"value\": \"dog\"}]}]",
     ""},
    {"TextVQA",
     "{\"dataset_type\": \"val\", \"data\": [{\"question_id\": \"a\", \"image_id\": \"1.png\", \"question\": \"What?\", \"answers\": "
     "[\"cat\"]},"
     "{\"question_id\": \"b\", \"image_id\": \"2.png\", \"question\": \"Who?\", \"answers\": [\"dog\"]}]}",
     ""},
    {"VQAv2",
     "{\"questions\": [{\"question_id\": \"a\", \"image\": \"1.png\", \"question\": \"What?\"},\n"
     "{\"question_id\": \"b\", \"image\": \"2.png\", \"question\": \"Who?\"}]}",
     "{\"annotations\": [{\"question_id\": \"a\", \"answers\": [{\"answer\": \"cat\", \"answer_id\": 1}]},"
     "{\"question_id\": \"b\", \"answers\": [{\"answer\": \"dog\", \"answer_id\": 1}]}]}"},
    {"CSV", "id,image,question,answer\na,1.png,What?,cat\n\"b\",2.png,\"Who?\",\"dog\"\n", ""},
    {"CSV with a byte order mark and line ends of Windows", "\xEF\xBB\xBFid,image,question,answer\r\na,1.png,What?,cat\r\nb,2.png,Who?,dog",
     ""},
    {"TSV", "id\timage\tquestion\tanswer\na\t1.png\tWhat?\tcat\nb\t2.png\tWho?\tdog\n", ""},
};

TEST(QuestionFile, EveryFormGivesTheSameQuestions) {
  const std::string hash = parse(kForms[0].data)->hash;
  for (const Form& form : kForms) {
    const auto set = parse(form.data, form.answers);
    ASSERT_TRUE(set.ok()) << form.name << ": " << set.error().message;
    ASSERT_EQ(set->questions.size(), 2U) << form.name;
    const Question& first = set->questions[0];
    EXPECT_EQ(first.problem, "") << form.name;
    EXPECT_EQ(first.id, OrderedJson("a")) << form.name;
    EXPECT_EQ(first.image_file, "/sets/1.png") << form.name;
    EXPECT_EQ(first.prompt, "What?") << form.name;
    EXPECT_EQ(first.answers, std::vector<std::string>{"cat"}) << form.name;
    EXPECT_EQ(set->questions[1].prompt, "Who?") << form.name;
    EXPECT_EQ(set->questions[1].answers, std::vector<std::string>{"dog"}) << form.name;
    EXPECT_EQ(set->hash, hash) << form.name;
    EXPECT_TRUE(set->has_answers) << form.name;
  }
}

TEST(QuestionFile, ReadsTenAnswersAndPicturesOfVqa) {
  const auto set =
      parse("{\"data_subtype\": \"val2014\", \"questions\": [{\"question_id\": 420, \"image_id\": 42, \"question\": \"What?\"}]}",
            "{\"annotations\": [{\"question_id\": 420, \"answers\": [{\"answer\": \"a\"}, {\"answer\": \"b\"}, {\"answer\": \"a\"}]}]}");
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->questions[0].image_file, "/sets/COCO_val2014_000000000042.jpg");
  EXPECT_EQ(set->questions[0].answers, (std::vector<std::string>{"a", "b", "a"}));
}

TEST(QuestionFile, ReadsChoicesHoweverTheyAreWritten) {
  const char* kAsked = "Which?\nA. red\nB. 2\nAnswer with the option's letter from the given choices directly.";
  for (const char* line : {"{\"question\": \"Which?\", \"options\": [\"red\", 2], \"answer\": \"B\"}",
                           "{\"question\": \"Which?\", \"choices\": {\"A\": \"red\", \"B\": \"2\"}, \"answer\": \"(b)\"}",
                           "{\"question\": \"Which?\", \"A\": \"red\", \"B\": \"2\", \"answer\": \"2\"}",
                           "{\"question\": \"Which?\", \"choices\": [\"red\", \"2\"], \"answer\": 1}",
                           "question,A,B,C,answer\nWhich?,red,2,,B", "question,options,answer\nWhich?,\"[\"\"red\"\", \"\"2\"\"]\",B"}) {
    const auto set = parse(line);
    ASSERT_TRUE(set.ok()) << line << set.error().message;
    EXPECT_EQ(set->questions[0].prompt, kAsked) << line;
    EXPECT_EQ(set->questions[0].answers, std::vector<std::string>{"B"}) << line;
  }
}

TEST(QuestionFile, ABadLineFailsAlone) {
  for (const char* line :
       {"{", "[1]", "7", "{\"image\": \"x.png\"}", "{\"prompt\": \"\"}", "{\"prompt\": 1}", "{\"prompt\": \"x\", \"image\": \"\"}",
        "{\"prompt\": \"x\", \"image\": {}}", "{\"prompt\": \"x\", \"id\": []}", "{\"prompt\": \"x\", \"answer\": {}}",
        "{\"prompt\": \"<image>\"}", "{\"prompt\": \"x\"}", "{\"conversations\": 1}", "{\"conversations\": [{\"from\": \"human\"}]}",
        "{\"prompt\": \"x\", \"choices\": [\"a\", \"b\"], \"answer\": \"c\"}", "{\"prompt\": \"x\", \"prompt\": \"y\"}"}) {
    const auto set = parse(std::string("{\"prompt\": \"x\", \"answer\": \"y\"}\n") + line + "\n{\"prompt\": \"z\", \"answer\": \"y\"}\n");
    ASSERT_TRUE(set.ok()) << line;
    ASSERT_EQ(set->questions.size(), 3U);
    EXPECT_EQ(set->problems, 1U);
    EXPECT_NE(set->questions[1].problem, "") << line;
    EXPECT_EQ(set->questions[1].line, 2U);
    EXPECT_EQ(set->questions[2].problem, "");
  }
  const auto table = parse("id,question,answer\n1,What?,x\n2,Who?\n3,\"a\"b,x\n4,When?,x\n5,\"Why?,x\n6,Where?,x\n");
  ASSERT_TRUE(table.ok()) << table.error().message;
  ASSERT_EQ(table->questions.size(), 6U);
  EXPECT_EQ(table->problems, 3U);
  EXPECT_NE(table->questions[1].problem.find("2 cells, the header 3"), std::string::npos);
  EXPECT_NE(table->questions[2].problem.find("behind a closing quote"), std::string::npos);
  EXPECT_NE(table->questions[4].problem.find("not closed"), std::string::npos);
  EXPECT_EQ(table->questions[5].prompt, "Where?");
}

TEST(QuestionFile, CellsHoldSeparatorsQuotesAndLineFeeds) {
  const auto set = parse("question,answer,id\n\"One, or \"\"two\"\"\nlines?\",x,1\nNext?,y,2\n");
  ASSERT_TRUE(set.ok()) << set.error().message;
  EXPECT_EQ(set->questions[0].prompt, "One, or \"two\"\nlines?");
  EXPECT_EQ(set->questions[1].line, 4U);
}

TEST(QuestionFile, SaysWhatIsWrongWithAFile) {
  struct Case {
    const char* data;
    const char* words;
  };
  for (const Case& c : {Case{"", "empty"}, Case{"words\nmore\n", "neither JSON nor a table"}, Case{"[]", "no questions"},
                        Case{"{\n\"a\": 1}", "no list of questions"}, Case{"{\"prompt\": 1}\n", "line 1: what is asked is no text"},
                        Case{"[{}]", "question 1: it has no"}}) {
    const auto set = parse(c.data);
    ASSERT_FALSE(set.ok()) << c.data;
    EXPECT_EQ(set.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(set.error().message.find("/sets/set"), std::string::npos) << set.error().message;
    EXPECT_NE(set.error().message.find(c.words), std::string::npos) << set.error().message;
  }
  EXPECT_FALSE(parse("{\"id\": 1, \"prompt\": \"x\"}", "{\"id\": 1, \"text\": \"a\"}\n{\"id\": \"1\", \"text\": \"b\"}").ok());
  EXPECT_FALSE(parse("[]", "", SetFormat::kCsv).ok());
  EXPECT_FALSE(set_format("xml").ok());
}

TEST(QuestionFile, ASetWithoutAnswersIsOne) {
  const auto set = parse("{\"prompt\": \"x\"}\n{\"prompt\": \"y\"}\n");
  ASSERT_TRUE(set.ok());
  EXPECT_FALSE(set->has_answers);
  EXPECT_EQ(set->problems, 0U);
}

}  // namespace
}  // namespace fastvlm
