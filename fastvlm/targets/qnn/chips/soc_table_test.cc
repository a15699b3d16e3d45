#include "fastvlm/targets/qnn/chips/soc_table.h"

#include <gtest/gtest.h>

#include <set>

namespace fastvlm::qnn {
namespace {

TEST(SocTable, FindsChipsByNameAndAliasInAnyCase) {
  EXPECT_EQ((*find_soc("sm8750"))->soc_model, 69);
  EXPECT_EQ((*find_soc("SM8850"))->soc_model, 87);
  EXPECT_EQ(soc_of_model(69)->name, "sm8750");
  EXPECT_EQ(soc_of_model(0), nullptr);
  EXPECT_EQ((*find_soc("SC8380XP"))->name, "x-elite");
  EXPECT_EQ((*find_soc("X-Elite"))->soc_model, 60);
}

TEST(SocTable, NamesTheNearestChipAndTheKnownOnes) {
  const std::string message = find_soc("sm8570").error().message;
  EXPECT_NE(message.find("did you mean sm8"), std::string::npos) << message;
  EXPECT_NE(message.find("sm8350, qcm6490, qcs6490"), std::string::npos) << message;
  EXPECT_EQ(find_soc("").error().kind, ErrorKind::kUsage);
  EXPECT_FALSE(find_soc(std::string(1 << 20, 'x')).ok());
}

TEST(SocTable, HasEachNameAndEachNumberOnce) {
  std::set<int> numbers;
  for (const Soc& soc : kSocs) {
    EXPECT_TRUE(numbers.insert(soc.soc_model).second) << soc.name;
    EXPECT_GE(soc.htp_arch, 68) << soc.name;
    EXPECT_EQ(soc.fp16, soc.htp_arch >= 69) << soc.name;
    EXPECT_EQ(soc.context_limit_bytes, kDefaultContextLimit) << soc.name;
  }
  const auto names = soc_names();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
}

TEST(SocTable, SharesWeightsFromArchitecture73On) {
  EXPECT_FALSE((*find_soc("sm8475"))->weight_sharing());
  EXPECT_TRUE((*find_soc("sm8550"))->weight_sharing());
}

}  // namespace
}  // namespace fastvlm::qnn
