#include "fastvlm/quant/recorder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <numeric>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/onnx/watches.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/run/tiny_model_for_tests.h"

namespace fastvlm {
namespace {

const std::vector<float> kWeight = {1, -2, 3, 4, 5, -6};

// twice = x + x, which is an output as well; y = twice · W; z = y * y.
class RecorderTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_);
    const tiny::Model model = {
        .nodes = {tiny::node("Add", {"x", "x"}, "twice"), tiny::node("MatMul", {"twice", "w"}, "y"), tiny::node("Mul", {"y", "y"}, "z")},
        .weights = {tiny::weight("w", {3, 2}, kWeight)},
        .inputs = {tiny::value_info("x", {"rows", 3})},
        .outputs = {tiny::value_info("twice", {"rows", 3}), tiny::value_info("z", {"rows", 2})}};
    ASSERT_TRUE(write_file_atomically(file_, model.bytes()).ok());
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  Result<OpenGraph> opener(const Watcher& watcher) const {
    return OpenGraph([runtime = runtime_, watcher](const Path& model) -> Result<std::unique_ptr<Runner>> {
      TRY_ASSIGN(std::unique_ptr<Runner> runner, OrtRunner::open(runtime, model, {.watcher = watcher}));
      return runner;
    });
  }
  static NamedTensor rows(std::int64_t count) {
    std::vector<float> numbers(static_cast<std::size_t>(3 * count));
    std::iota(numbers.begin(), numbers.end(), -5.0f);
    return {"x", Tensor::of_floats({count, 3}, numbers)};
  }

  std::shared_ptr<OrtRuntime> runtime_ = onnxruntime_for_tests();
  Path folder_ = Path(testing::TempDir()) / fmt::format("recorder_test.{}", ::getpid());
  Path file_ = folder_ / "tiny.onnx";
};

TEST_F(RecorderTest, SeesInputsAndValuesOfEveryRunAndChangesNoOutput) {
  const auto open = opener({});
  auto plain = (*open)(file_);
  Recorder recorder([&](const Watcher& watcher) { return opener(watcher); }, {});
  auto watched = recorder.open(file_);
  ASSERT_TRUE(plain.ok() && watched.ok()) << watched.error().message;
  ASSERT_EQ((*watched)->outputs().size(), 2u);
  // Of the last one y and z are more than a thread observes at a time.
  for (const std::int64_t count : {1, 2, 600'000}) {
    const std::vector<NamedTensor> given = {rows(count)};
    const auto expected = run(**plain, given), found = run(**watched, given);
    ASSERT_TRUE(expected.ok() && found.ok());
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ((*found)[i].tensor.bytes, (*expected)[i].tensor.bytes);
  }
  std::map<std::string, ValueRange> expected;
  for (const std::int64_t count : {1, 2, 600'000}) {
    const std::vector<NamedTensor> given = {rows(count)};
    expected["x"].observe(given[0].tensor.floats());
    const auto outputs = run(**plain, given);
    expected["twice"].observe((*outputs)[0].tensor.floats());
    expected["z"].observe((*outputs)[1].tensor.floats());
  }
  for (const auto& [name, range] : expected) EXPECT_EQ(recorder.ranges().values[name], range) << name;
  EXPECT_EQ(recorder.ranges().values.size(), 4u);
  EXPECT_EQ(recorder.ranges().values["y"].count, 2u * 600'003u);
}

TEST_F(RecorderTest, SumsTheSquaresOfEachChannelThatALinearLayerReads) {
  Recorder recorder([&](const Watcher& watcher) { return opener(watcher); }, {.channels = true});
  auto watched = recorder.open(file_);
  ASSERT_TRUE(watched.ok()) << watched.error().message;
  ASSERT_TRUE(run(**watched, std::vector<NamedTensor>{rows(2)}).ok());
  const auto& sums = recorder.ranges().values["twice"].channel_square_sums;
  ASSERT_EQ(sums.size(), 3u);  // of -10 and -4, -8 and -2, -6 and 0
  EXPECT_EQ(sums[0].value(), 116);
  EXPECT_EQ(sums[1].value(), 68);
  EXPECT_EQ(sums[2].value(), 36);
  EXPECT_TRUE(recorder.ranges().values["z"].channel_square_sums.empty());
}

TEST_F(RecorderTest, StopsWithinARun) {
  std::stop_source stop;
  int seen = 0;
  Recorder recorder(
      [&](const Watcher& watcher) {
        return opener([&, watcher](const std::string& name, const TensorView& value) {
          watcher(name, value);
          if (++seen == 2) stop.request_stop();
        });
      },
      {});
  auto watched = recorder.open(file_);
  ASSERT_TRUE(watched.ok()) << watched.error().message;
  const StopScope scope(stop.get_token());
  const auto outcome = run(**watched, std::vector<NamedTensor>{rows(1)});
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(seen, 2);
}

TEST_F(RecorderTest, NamesAValueThatIsNone) {
  const auto changed = with_watches(file_, std::vector<std::string>{"x", "nothing"}, {kWatchDomain, kWatchOperator, kWatchedName});
  ASSERT_FALSE(changed.ok());
  EXPECT_EQ(changed.error().message, file_.string() + ": no node makes or takes \"nothing\"");
}

}  // namespace
}  // namespace fastvlm
