#include "fastvlm/base/interrupt.h"

#include <gtest/gtest.h>

namespace fastvlm {
namespace {

TEST(Interrupt, StandsFromTheRequestUntilItIsCleared) {
  EXPECT_TRUE(check_interrupt().ok());
  request_interrupt();
  EXPECT_TRUE(interrupted());
  const Status status = check_interrupt();
  const Status again = check_interrupt();
  clear_interrupt();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(static_cast<int>(status.error().kind), 130);
  EXPECT_FALSE(again.ok());
  EXPECT_FALSE(interrupted());
  EXPECT_TRUE(check_interrupt().ok());
}

}  // namespace
}  // namespace fastvlm
