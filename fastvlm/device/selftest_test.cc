#include "fastvlm/device/bundle_for_tests.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::device {
namespace {

TEST(SelfTest, IsReadAsItWasWritten) {
  const SelfTest test = selftest_for_tests();
  const auto read = parse_selftest(selftest_text(test), "selftest.json");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, test);
}

TEST(SelfTest, NamesThatLeaveTheFolderAndNumbersThatFitNothingAreRefused) {
  const std::string text = selftest_text(selftest_for_tests());
  struct Damage {
    const char *from, *to, *words;
  };
  for (const auto& [from, to, words] :
       {Damage{"picture_1/in_pixel", "../in_pixel", "is no file of the folder"},
        Damage{"\"name\": \"vision_64\"", "\"name\": \"a/b\"", "plain name"},
        Damage{"\"graph\": \"vision_64\"", "\"graph\": \"..\"", "plain name"}, Damage{"float16", "float17", "must be a type"},
        Damage{"64,\n      64", "64,\n      99999999999", "\"shape\""}, Damage{"\"ids\": [\n    0,", "\"ids\": [\n", "an id for each row"},
        Damage{"     2\n    ],", "     -2\n    ],", "no id"}, Damage{"\"image_size\": 64", "\"image_size\": 0", "\"image_size\""}}) {
    std::string damaged = text;
    ASSERT_NE(damaged.find(from), std::string::npos) << from << "\n" << text;
    damaged.replace(damaged.find(from), std::string_view(from).size(), to);
    const auto read = parse_selftest(damaged, "selftest.json");
    ASSERT_FALSE(read.ok()) << to;
    EXPECT_NE(read.error().message.find(words), std::string::npos) << read.error().message;
  }
}

TEST(SelfTest, OutputsInIntegersAreRefusedWithASentence) {
  const auto refusal = [](const SelfTest& test) {
    const auto read = parse_selftest(selftest_text(test), "selftest.json");
    return read.ok() ? std::string() : read.error().message;
  };
  SelfTest run = selftest_for_tests(), probe = run, features = run, logits = run, input = run;
  run.runs[0].outputs[0].type = Dtype::kInt32;
  probe.probes[0].outputs[1].type = Dtype::kUint16;
  features.answers[0].image_features.type = Dtype::kUint8;
  logits.answers[0].logits.type = Dtype::kInt64;
  for (const SelfTest& test : {run, probe, features, logits})
    EXPECT_NE(refusal(test).find("only floating numbers are compared"), std::string::npos) << refusal(test);
  EXPECT_NE(refusal(run).find("\"image_features\" is of type int32"), std::string::npos) << refusal(run);
  input.runs[0].inputs[0].type = Dtype::kUint16;
  EXPECT_EQ(refusal(input), "");
}

TEST(SelfTest, ResultsMayBeInTheTypeOfTheGraphOrInFloat32AndNothingElse) {
  FolderForTests folder;
  const Tensor numbers = Tensor::of_floats({2, 2}, std::vector<float>{1, -2, 0.5f, 4});
  const StoredTensor expected{.name = "y", .type = Dtype::kFloat16, .shape = {2, 2}};
  for (const Dtype type : {Dtype::kFloat32, Dtype::kFloat16}) {
    ASSERT_TRUE(write_raw(folder / "y.raw", cast_to(numbers, type)).ok());
    const auto read = load_result(folder / "y.raw", expected);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_TRUE(std::ranges::equal(read->floats(), numbers.floats()));
  }
  folder.write("y.raw", "123");
  const auto read = load_result(folder / "y.raw", expected);
  ASSERT_FALSE(read.ok());
  EXPECT_NE(read.error().message.find("has 3 bytes, float16 [2, 2]"), std::string::npos) << read.error().message;
}

}  // namespace
}  // namespace fastvlm::device
