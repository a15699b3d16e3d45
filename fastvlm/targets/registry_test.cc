#include "fastvlm/targets/registry.h"

#include <gtest/gtest.h>

#include <set>

namespace fastvlm {
namespace {

TEST(Registry, AChipIsFoundByNameAndAliasInAnyCaseAndChoosesItsTarget) {
  struct Case {
    const char* wanted;
    const char* found;
  };
  for (const auto& [wanted, found] :
       {Case{"sm8750", "sm8750"}, Case{"SM8850", "sm8850"}, Case{"SC8380XP", "x-elite"}, Case{"X-Elite", "x-elite"}}) {
    auto chosen = find_chip(known_targets(), wanted);
    ASSERT_TRUE(chosen.ok()) << wanted;
    EXPECT_EQ(chosen->chip->name, found);
    EXPECT_EQ(chosen->target->name, "qnn-htp");
  }
}

TEST(Registry, AChipIsFoundByPhoneMarketingNameNumberAndArchitecture) {
  struct Case {
    const char* wanted;
    const char* found;
  };
  for (const auto& [wanted, found] :
       {Case{"Galaxy S25", "sm8750"}, Case{"s25 ultra", "sm8750"}, Case{"8 Elite", "sm8750"}, Case{"Snapdragon 8 Elite Gen 5", "sm8850"},
        Case{"8gen3", "sm8650"}, Case{"8-GEN-3", "sm8650"}, Case{"Snapdragon 8 Gen 3", "sm8650"}, Case{"8+ Gen 1", "sm8475"},
        Case{"8 gen 1", "sm8450"}, Case{"69", "sm8750"}, Case{"v79", "sm8750"}, Case{"Hexagon v75", "sm8650"}, Case{" sm8650 ", "sm8650"},
        Case{"X Elite", "x-elite"}}) {
    auto chosen = find_chip(known_targets(), wanted);
    ASSERT_TRUE(chosen.ok()) << wanted;
    EXPECT_EQ(chosen->chip->name, found) << wanted;
  }
}

TEST(Registry, WhatIsNearNothingGetsNoGuess) {
  for (const char* wanted :
       {"exynos 2400", "banana", "zzzz", "A17 Pro", "7 gen 3", "7+ gen 3", "8cx gen 3", "8s gen 3", "8+ gen 2", "sm8751", "96"}) {
    const std::string message = find_chip(known_targets(), wanted).error().message;
    EXPECT_EQ(message.find("did you mean"), std::string::npos) << message;
  }
  EXPECT_NE(find_chip(known_targets(), "help").error().message.find("\n  sm8750"), std::string::npos);
}

TEST(Registry, AnUnknownChipIsToldTheNearestAndTheKnownOnes) {
  for (const auto& [wanted, near] : {std::pair("8 gem3", "sm8650"), std::pair("sm8570", "sm8"), std::pair("x-elit", "x-elite")}) {
    const std::string told = find_chip(known_targets(), wanted).error().message;
    EXPECT_NE(told.find(fmt::format("did you mean {}", near)), std::string::npos) << told;
  }
  const std::string message = find_chip(known_targets(), "sm8570").error().message;
  EXPECT_NE(message.find("did you mean sm8"), std::string::npos) << message;
  EXPECT_NE(message.find("sm8350, qcm6490, qcs6490"), std::string::npos) << message;
  EXPECT_EQ(find_chip(known_targets(), "").error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(find_chip(known_targets(), std::string(1 << 20, 'x')).ok());
}

TEST(Registry, ChipsNamedTwiceAreTakenOnce) {
  const std::vector<std::string> names = {"x-elite", "sm8750", "sc8380xp"};
  auto chips = find_chips(known_targets(), names);
  ASSERT_TRUE(chips.ok());
  ASSERT_EQ(chips->size(), 2u);
  EXPECT_EQ((*chips)[1].chip->name, "sm8750");
}

TEST(Registry, EveryRowIsWholeAndNoNameStandsTwice) {
  const auto names = chip_names(known_targets());
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  for (const Target* target : known_targets()) {
    EXPECT_FALSE(target->chips().empty()) << target->name;
    EXPECT_FALSE(target->operators.empty()) << target->name;
    EXPECT_TRUE(target->refuses && target->find_runtimes && target->check_compiler && target->compile && target->compile_memory &&
                target->context_bytes && target->open_runner)
        << target->name;
  }
}

// Two rows, as they would be with a second NPU.
TEST(Registry, ChipsOfTwoTargetsDoNotGoIntoOneExport) {
  static const std::vector<Chip> chips = {{.name = "other1", .alias = "other-one"}};
  static const Target other = {.name = "other", .title = "Other NPU", .chips = [] { return std::span<const Chip>(chips); }};
  const std::vector<const Target*> both = {known_targets()[0], &other};
  EXPECT_EQ(find_chip(both, "OTHER-ONE").value().target, &other);
  const std::vector<std::string> names = {"sm8750", "other1"};
  EXPECT_EQ(find_chips(both, names).error().message,
            "sm8750 is of Qualcomm HTP and other1 of Other NPU; export for one of them at a time, because their graphs differ");
}

TEST(Registry, CompiledFilesAreReadByTheTargetWhoseNamesAndFirstBytesTheyHave) {
  static const ContextFormat other_format = {.title = "other context",
                                             .wrapper_end = ".other.onnx",
                                             .is_context = [](std::string_view head) { return head.starts_with("OTHER"); },
                                             .is_wrapper = [](const OnnxModel& model) { return model.producer == "other"; }};
  static const Target without = {.name = "without"}, other = {.name = "other", .context_format = &other_format};
  const std::vector<const Target*> targets = {&without, known_targets()[0], &other};
  const ContextFormat* first = known_targets()[0]->context_format;
  EXPECT_EQ(format_of_wrapper(targets, Path("npu/sm8750/vision_256_ctx.onnx")), first);
  EXPECT_EQ(first->graph_of("npu/sm8750/vision_256_ctx.onnx"), "vision_256");
  EXPECT_EQ(format_of_wrapper(targets, Path("npu/vision_256.other.onnx")), &other_format);
  EXPECT_EQ(format_of_wrapper(targets, Path("npu/vision_256.onnx")), nullptr);
  EXPECT_EQ(format_of_context(targets, std::string_view("\0\0\0\2\0\0\0\3\0\0\0\0\0\0\0\1more", 20)), first);
  EXPECT_EQ(format_of_context(targets, "OTHER"), &other_format);
  EXPECT_EQ(format_of_context(targets, "PK\3\4"), nullptr);
  OnnxModel model;
  EXPECT_EQ(format_of_wrapper(targets, model), nullptr);
  model.nodes.push_back({.domain = "com.microsoft", .op = "EPContext"});
  EXPECT_EQ(format_of_wrapper(targets, model), first);
}

TEST(Registry, HalfPrecisionIsRefusedByTheChipsThatLackIt) {
  for (const Target* target : known_targets())
    for (const Chip& chip : target->chips()) {
      EXPECT_FALSE(target->refuses(chip, Precision::kQuantised)) << chip.name;
      EXPECT_EQ(target->refuses(chip, Precision::kFloat16).has_value(), chip.architecture == "HTP v68") << chip.name;
      EXPECT_EQ(target->refuses(chip, Precision::kSixteenBits).has_value(), chip.architecture < "HTP v73") << chip.name;
    }
  const std::vector<ChosenChip> chips = {find_chip(known_targets(), "sm8350").value()};
  const Status status = check_precision(chips, Precision::kFloat16);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(status.error().message,
            "target sm8350 (Snapdragon 888) computes no half precision, so float graphs cannot run on it; choose `recipe` w8a16-int and "
            "`vision_recipe` w8a16 with `calibration`, or a chip with HTP v69 or newer");
}

}  // namespace
}  // namespace fastvlm
