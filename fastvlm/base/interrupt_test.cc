#include "fastvlm/base/interrupt.h"

#include <gtest/gtest.h>

#include <array>

#include "fastvlm/base/parallel.h"

namespace fastvlm {
namespace {

TEST(Interrupt, StandsFromTheRequestToTheEndOfItsScope) {
  EXPECT_TRUE(check_interrupt().ok());
  std::stop_source source;
  {
    const StopScope scope(source.get_token());
    EXPECT_TRUE(check_interrupt().ok());
    source.request_stop();
    EXPECT_TRUE(interrupted());
    for (int i = 0; i < 2; ++i) {
      const Status status = check_interrupt();
      ASSERT_FALSE(status.ok());
      EXPECT_EQ(status.error().kind, ErrorKind::kInterrupted);
      EXPECT_EQ(static_cast<int>(status.error().kind), 130);
    }
    {
      const StopScope inner{std::stop_source().get_token()};
      EXPECT_FALSE(interrupted());
    }
    EXPECT_TRUE(interrupted());
  }
  EXPECT_FALSE(interrupted());
  EXPECT_TRUE(check_interrupt().ok());
}

TEST(Interrupt, ConcernsTheWorkOfOneThreadAndTheThreadsThatItStarts) {
  std::stop_source one;
  one.request_stop();
  const StopScope scope(one.get_token());
  bool other_stopped = true;
  std::jthread([&] { other_stopped = interrupted(); }).join();
  EXPECT_FALSE(other_stopped) << "another call of the library";

  std::array<bool, 4> stopped = {};
  EXPECT_TRUE(parallel_for(stopped.size(), 4, [&](std::size_t i) {
                stopped[i] = interrupted();
                return Status();
              }).ok());
  EXPECT_EQ(stopped, (std::array{true, true, true, true}));

  bool job_stopped = false;
  Jobs jobs;
  jobs.start([&] {
    job_stopped = interrupted();
    return Status();
  });
  EXPECT_TRUE(jobs.join().ok());
  EXPECT_TRUE(job_stopped);
}

}  // namespace
}  // namespace fastvlm
