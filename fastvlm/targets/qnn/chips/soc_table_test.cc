#include "fastvlm/targets/qnn/chips/soc_for_tests.h"

#include <gtest/gtest.h>

#include <set>

namespace fastvlm::qnn {
namespace {

TEST(SocTable, ARowIsFoundByItsNumberAndByItsChip) {
  EXPECT_EQ(soc_of_model(69)->name, "sm8750");
  EXPECT_EQ(soc_of_model(0), nullptr);
  ASSERT_EQ(htp_chips().size(), kSocs.size());
  for (std::size_t i = 0; i < kSocs.size(); ++i) EXPECT_EQ(&soc_of(htp_chips()[i]), &kSocs[i]);
}

TEST(SocTable, HasEachNameAndEachNumberOnce) {
  std::set<int> numbers;
  for (const Soc& soc : kSocs) {
    EXPECT_TRUE(numbers.insert(soc.soc_model).second) << soc.name;
    EXPECT_GE(soc.htp_arch, 68) << soc.name;
    EXPECT_EQ(soc.fp16, soc.htp_arch >= 69) << soc.name;
    EXPECT_EQ(soc.context_limit_bytes, kDefaultContextLimit) << soc.name;
  }
}

TEST(SocTable, SharesWeightsFromArchitecture73On) {
  EXPECT_FALSE((*find_soc("sm8475"))->weight_sharing());
  EXPECT_TRUE((*find_soc("sm8550"))->weight_sharing());
}

}  // namespace
}  // namespace fastvlm::qnn
