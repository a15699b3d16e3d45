#include "fastvlm/synthetic/checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <map>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/synthetic/outlier_copy.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

// A folder of its own for each test.
class MakeCheckpoint : public testing::Test {
 protected:
  void SetUp() override {
    root_ = Path(testing::TempDir()) /
            fmt::format("make-checkpoint-{}-{}", ::getpid(), testing::UnitTest::GetInstance()->current_test_info()->name());
    fs::create_directories(root_);
  }
  void TearDown() override { fs::remove_all(root_); }
  Result<MakeCheckpointReport> make(const char* name, CheckpointDialect dialect, std::uint64_t seed = 0, bool force = false) {
    Progress silent;
    return make_checkpoint({.dialect = dialect, .output_dir = root_ / name, .seed = seed, .force = force}, silent);
  }
  std::map<std::string, std::string> bytes_of(const char* name) const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(root_ / name))
      files[entry.path().filename()] = read_file(entry.path(), 1 << 24).value();
    return files;
  }
  bool root_is_empty() const { return fs::is_empty(root_); }
  Path root_;
};

TEST_F(MakeCheckpoint, TheSameSeedGivesTheSameBytesAndAnotherSeedOthers) {
  for (CheckpointDialect dialect : {CheckpointDialect::kApple, CheckpointDialect::kHf}) {
    ASSERT_TRUE(make("one", dialect, 7, true).ok());
    ASSERT_TRUE(make("two", dialect, 7, true).ok());
    ASSERT_TRUE(make("three", dialect, 8, true).ok());
    EXPECT_EQ(bytes_of("one"), bytes_of("two"));
    EXPECT_NE(bytes_of("one")["model.safetensors"], bytes_of("three")["model.safetensors"]);
  }
}

TEST_F(MakeCheckpoint, OutliersAreThoseThatACopyGets) {
  Progress silent;
  ASSERT_TRUE(make("plain", CheckpointDialect::kHf, 7).ok());
  ASSERT_TRUE(make_checkpoint({.dialect = CheckpointDialect::kHf, .output_dir = root_ / "made", .seed = 7, .outliers = true}, silent).ok());
  const auto copied = copy_with_outliers({.model_dir = root_ / "plain", .output_dir = root_ / "copied", .seed = 7}, silent);
  ASSERT_TRUE(copied.ok()) << copied.error().message;
  EXPECT_EQ(bytes_of("made"), bytes_of("copied"));
  EXPECT_NE(bytes_of("made")["model.safetensors"], bytes_of("plain")["model.safetensors"]);
}

TEST_F(MakeCheckpoint, TheReportAgreesWithTheFolder) {
  auto report = make("one", CheckpointDialect::kApple);
  ASSERT_TRUE(report.ok());
  std::uint64_t bytes = 0;
  for (const auto& [file, text] : bytes_of("one")) bytes += text.size();
  EXPECT_EQ(report->bytes, bytes);
  EXPECT_EQ(report->files, bytes_of("one").size());
}

TEST_F(MakeCheckpoint, BothDialectsHoldTheSameModelAndATiedHeadIsStoredEqual) {
  ASSERT_TRUE(make("apple", CheckpointDialect::kApple).ok() && make("hf", CheckpointDialect::kHf).ok());
  std::map<std::string, std::vector<std::byte>> apple;
  auto apple_tensors = read_safetensors(root_ / "apple/model.safetensors");
  auto hf_tensors = read_safetensors(root_ / "hf/model.safetensors");
  ASSERT_TRUE(apple_tensors.ok() && hf_tensors.ok());
  for (NamedTensor& tensor : *apple_tensors) apple[canonical_name(tensor.name)] = std::move(tensor.tensor.bytes);
  for (const NamedTensor& tensor : *hf_tensors) EXPECT_TRUE(apple.at(canonical_name(tensor.name)) == tensor.tensor.bytes) << tensor.name;
  EXPECT_TRUE(apple.at("lm_head.weight") == apple.at("model.embed_tokens.weight"));
}

TEST_F(MakeCheckpoint, AFolderInUseIsRefusedAndForceReplacesOnlyCheckpoints) {
  ASSERT_TRUE(make("one", CheckpointDialect::kApple).ok());
  auto refused = make("one", CheckpointDialect::kHf);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().message.find("`force`"), std::string::npos);
  ASSERT_TRUE(make("one", CheckpointDialect::kHf, 0, true).ok());
  EXPECT_TRUE(fs::exists(root_ / "one/tokenizer.json"));
  EXPECT_FALSE(fs::exists(root_ / "one/vocab.json"));

  fs::create_directory(root_ / "letters");
  ASSERT_TRUE(write_file_atomically(root_ / "letters/mother.txt", "dear").ok());
  EXPECT_FALSE(make("letters", CheckpointDialect::kApple, 0, true).ok());
  EXPECT_TRUE(fs::exists(root_ / "letters/mother.txt"));
  fs::create_directory(root_ / "empty");
  EXPECT_TRUE(make("empty", CheckpointDialect::kApple).ok());
}

TEST_F(MakeCheckpoint, AnInterruptedRunLeavesNothing) {
  // In the middle of the tensors, with parent folders that did not exist before.
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  Progress progress([&](const ProgressEvent& event) {
    if (event.done > event.total / 2) stop.request_stop();
  });
  auto stopped = make_checkpoint({.output_dir = root_ / "new/parent/one"}, progress);
  ASSERT_FALSE(stopped.ok());
  EXPECT_EQ(stopped.error().kind, ErrorKind::kInterrupted);
  EXPECT_TRUE(root_is_empty());
}

TEST_F(MakeCheckpoint, AFileInThePlaceOfTheFolderIsRefused) {
  ASSERT_TRUE(write_file_atomically(root_ / "file", "text").ok());
  EXPECT_FALSE(make("file", CheckpointDialect::kApple, 0, true).ok());
  EXPECT_FALSE(make("file/below", CheckpointDialect::kApple).ok());
  EXPECT_EQ(read_file(root_ / "file", 10).value(), "text");
}

TEST(FillRandom, PiecesGiveTheSameNumbersAsTheWhole) {
  const TensorFill fill = {.mean = 0.5f, .spread = 2, .centre = 3, .taps = 9};
  std::vector<std::uint16_t> whole(1003), pieces(1003);
  fill_random(1, "name", fill, 0, whole);
  fill_random(1, "name", fill, 0, std::span(pieces).first(400));
  fill_random(1, "name", fill, 400, std::span(pieces).subspan(400));
  EXPECT_EQ(whole, pieces);
}

TEST(FillRandom, NumbersHaveTheMeanAndSpreadAskedFor) {
  std::vector<std::uint16_t> bits(90000);
  fill_random(3, "name", {.mean = 0.5f, .spread = 2, .centre = 10, .taps = 9}, 0, bits);
  double sum = 0, squares = 0, centre = 0;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    const double value = bfloat16_to_float(bits[i]);
    if (i % 9 == 4) {
      centre += value / 10000;
      continue;
    }
    sum += value / 80000;
    squares += value * value / 80000;
  }
  EXPECT_NEAR(sum, 0.5, 0.03);
  EXPECT_NEAR(std::sqrt(squares - sum * sum), 2, 0.03);
  EXPECT_NEAR(centre, 10.5, 0.1);
}

}  // namespace
}  // namespace fastvlm
