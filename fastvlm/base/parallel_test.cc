#include "fastvlm/base/parallel.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <new>

namespace fastvlm {
namespace {

TEST(ParallelFor, DoesEveryPieceOnceWhateverTheNumberOfThreads) {
  for (unsigned threads : {0u, 1u, 2u, 5u, 40u})
    for (std::size_t count : {0u, 1u, 3u, 100u}) {
      std::vector<std::atomic<int>> done(count);
      Status status = parallel_for(count, threads, [&](std::size_t i) -> Status {
        ++done[i];
        return {};
      });
      EXPECT_TRUE(status.ok());
      for (std::size_t i = 0; i < count; ++i) EXPECT_EQ(done[i], 1) << i << " of " << count << " with " << threads;
    }
}

TEST(ParallelFor, OneThreadStopsAtTheFirstError) {
  std::vector<std::size_t> seen;
  Status status = parallel_for(10, 1, [&](std::size_t i) -> Status {
    seen.push_back(i);
    if (i == 3) return bad_input("piece {}", i);
    return {};
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "piece 3");
  EXPECT_EQ(seen, (std::vector<std::size_t>{0, 1, 2, 3}));
}

TEST(ParallelFor, AnErrorEndsTheHandOutOfFurtherPieces) {
  constexpr std::size_t kCount = 1000000;
  std::atomic<std::size_t> done{0};
  Status status = parallel_for(kCount, 4, [&](std::size_t) -> Status {
    ++done;
    return bad_environment("the disk is full");
  });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "the disk is full");
  EXPECT_LE(done, 4u);  // at most what every thread had in hand
}

TEST(ParallelFor, PiecesHandedOutInOrderMayWaitForEarlierOnes) {
  // The ordered hash of the writer relies on it: the piece that is due is always in somebody's hands.
  std::mutex mutex;
  std::condition_variable due;
  std::size_t next = 0;
  Status status = parallel_for(64, 3, [&](std::size_t i) -> Status {
    std::unique_lock lock(mutex);
    due.wait(lock, [&] { return next == i; });
    ++next;
    due.notify_all();
    return {};
  });
  EXPECT_TRUE(status.ok());
  EXPECT_EQ(next, 64u);
}

// Waits until it is asked to stop, as long work does between two pieces.
Status work_until_stopped(const std::stop_token& stop) {
  while (!stop.stop_requested()) std::this_thread::yield();
  return bad_environment("stopped");
}

TEST(Jobs, AllRunBesideEachOther) {
  // Each waits for the other, so that they could not end one after the other.
  Jobs jobs;
  std::atomic<int> begun{0};
  for (int i = 0; i < 2; ++i)
    jobs.start([&]() -> Status {
      ++begun;
      while (begun < 2) std::this_thread::yield();
      return {};
    });
  EXPECT_TRUE(jobs.join().ok());
}

TEST(Jobs, TheFirstErrorStopsTheOthersAndIsTheOneReported) {
  Jobs jobs;
  for (int i = 0; i < 2; ++i) jobs.start([&] { return work_until_stopped(jobs.stop()); });
  jobs.start([]() -> Status { return bad_input("tokenizer.json: cut off"); });
  const Status status = jobs.join();
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "tokenizer.json: cut off");
}

TEST(Jobs, AnExceptionStopsTheOthersAndIsThrownAgain) {
  Jobs jobs;
  jobs.start([&] { return work_until_stopped(jobs.stop()); });
  jobs.start([]() -> Status { throw std::bad_alloc(); });
  EXPECT_THROW(static_cast<void>(jobs.join()), std::bad_alloc);
}

TEST(Jobs, LeavingWithoutJoiningStopsThem) {
  Jobs jobs;
  jobs.start([&] { return work_until_stopped(jobs.stop()); });
}

}  // namespace
}  // namespace fastvlm
