#include "fastvlm/onnx/data_writer.h"

#include <cmath>
#include <limits>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"

namespace fastvlm {
namespace {

float number(std::int64_t i) { return static_cast<float>((i * 2654435761u) % 1000003u) / 1000.0f - 500.0f; }

// Rows made on demand, so that a weight of several pieces costs nothing.
WeightPtr large(std::int64_t rows, std::int64_t columns, const std::string& name) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = rows;
  source->columns = columns;
  source->read = [columns](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = number(r * columns + c);
    return {};
  };
  return Weight::of_source({rows, columns}, std::move(source), {name}, "");
}

// Two files; pieces of both are handed out alternately, and one weight has six of them.
DataLayout layout() {
  DataLayout layout;
  const WeightPtr table = large(3001, 2003, "table");
  layout.place(table, "table", Dtype::kFloat32, "a.data");
  layout.place(large(100, 33, "small"), "small", Dtype::kFloat16, "b.data");
  layout.place(table->transposed(), "turned", Dtype::kFloat32, "b.data");
  layout.place(large(7, 5, "last"), "last", Dtype::kFloat32, "a.data");
  return layout;
}

TEST(DataWriter, BytesAndHashesAreTheSameWithAnyNumberOfThreads) {
  FolderForTests folder;
  std::map<std::string, std::string> first;
  for (unsigned threads : {1u, 2u, 5u}) {
    Progress silent;
    auto written = write_data_files(layout(), folder.path(), {.threads = threads}, silent);
    ASSERT_TRUE(written.ok()) << written.error().message;
    ASSERT_EQ(written->files.size(), 2u);
    for (const auto& [name, file] : written->files) {
      EXPECT_EQ(file.sha256, sha256_of_file(folder / name).value()) << name << " with " << threads;
      EXPECT_EQ(file.bytes, std::filesystem::file_size(folder / name));
      EXPECT_EQ(file.bytes, layout().file_sizes().at(name));
      EXPECT_EQ(first.try_emplace(name, file.sha256).first->second, file.sha256) << name << " with " << threads;
    }
  }
}

TEST(DataWriter, EveryWeightLiesAtItsPlaceInItsType) {
  FolderForTests folder;
  Progress silent;
  const DataLayout places = layout();
  ASSERT_TRUE(write_data_files(places, folder.path(), {.threads = 2}, silent).ok());
  std::map<std::string, std::string> bytes;
  for (const char* name : {"a.data", "b.data"}) bytes[name] = folder.read(name);
  for (const PlacedWeight& placed : places.weights()) {
    const std::vector<float> values = placed.weight->read_all().value();
    std::vector<std::byte> expected(values.size() * byte_size(placed.dtype));
    from_float32(values, placed.dtype, expected);
    const auto actual = as_bytes(std::string_view(bytes[placed.place.file]).substr(placed.place.offset, placed.place.bytes));
    EXPECT_TRUE(std::ranges::equal(actual, expected)) << placed.name;
  }
}

TEST(DataWriter, ProgressCountsEveryByteOfEveryWeight) {
  FolderForTests folder;
  std::uint64_t done = 0, expected = 0;
  Progress progress([&](const ProgressEvent& event) { done = event.done; });
  const DataLayout places = layout();
  for (const PlacedWeight& placed : places.weights()) expected += placed.place.bytes;
  progress.start("writing", expected, true);
  ASSERT_TRUE(write_data_files(places, folder.path(), {.threads = 3}, progress).ok());
  EXPECT_EQ(done, expected);
}

TEST(DataWriter, LossesAreCountedForEachWeight) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  FolderForTests folder;
  DataLayout places;
  places.place(Weight::of_values({4}, {1, 70000, -80000, 2}, "over"), "over", Dtype::kFloat16, "w.data");
  places.place(Weight::of_values({3}, {1e-9f, 0, 1}, "under"), "under", Dtype::kFloat16, "w.data");
  places.place(Weight::of_values({3}, {NAN, kInfinity, 1}, "odd"), "odd", Dtype::kFloat32, "w.data");
  places.place(Weight::of_values({2}, {1e-9f, 70000}, "wide"), "wide", Dtype::kFloat32, "w.data");
  Progress silent;
  auto written = write_data_files(places, folder.path(), {.threads = 2}, silent);
  ASSERT_TRUE(written.ok());
  ASSERT_EQ(written->losses.size(), 3u);
  EXPECT_EQ(written->losses["over"].overflowed, 2);
  EXPECT_EQ(written->losses["under"].vanished, 1);
  EXPECT_EQ(written->losses["odd"].not_finite, 2);
}

TEST(DataWriter, AnErrorOfOneWeightEndsTheWholeWithoutWaiting) {
  DataLayout places = layout();
  places.place(Weight::computed(
                   {2000}, []() -> Result<std::vector<float>> { return bad_input("tensor \"t\" is cut off"); }, {"t"}, ""),
               "t", Dtype::kFloat32, "a.data");
  places.place(large(3000, 2000, "behind"), "behind", Dtype::kFloat32, "a.data");
  for (unsigned threads : {1u, 2u, 5u}) {
    FolderForTests folder;
    Progress silent;
    auto written = write_data_files(places, folder.path(), {.threads = threads}, silent);
    ASSERT_FALSE(written.ok());
    EXPECT_EQ(written.error().message, "tensor \"t\" is cut off");
  }
}

TEST(DataWriter, AnInterruptEndsIt) {
  FolderForTests folder;
  Progress silent;
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  stop.request_stop();
  auto written = write_data_files(layout(), folder.path(), {.threads = 2}, silent);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::kInterrupted);
}

TEST(DataWriter, ARequestToStopEndsItToo) {
  FolderForTests folder;
  Progress silent;
  std::stop_source stop;
  stop.request_stop();
  auto written = write_data_files(layout(), folder.path(), {.threads = 2, .stop = stop.get_token()}, silent);
  ASSERT_FALSE(written.ok());
  EXPECT_EQ(written.error().kind, ErrorKind::kInterrupted);
}

TEST(WriteInPieces, PiecesMadeInAnyOrderGiveOneFile) {
  const std::uint64_t total = 2 * kPieceBytes + 17;
  std::set<std::string> hashes;
  for (unsigned threads : {1u, 2u, 5u}) {
    FolderForTests folder;
    Progress silent;
    auto written =
        write_in_pieces(folder / "out", total, {.threads = threads}, silent, [](std::size_t index, std::span<std::byte> out) -> Status {
          EXPECT_EQ(out.size(), index < 2 ? kPieceBytes : 17);
          std::ranges::fill(out, static_cast<std::byte>(index + 1));
          return {};
        });
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(written->bytes, total);
    EXPECT_EQ(written->sha256, sha256_of_file(folder / "out").value());
    hashes.insert(written->sha256);
  }
  EXPECT_EQ(hashes.size(), 1u);
}

TEST(WriteInPieces, AnEmptyFileIsAFile) {
  FolderForTests folder;
  Progress silent;
  auto written = write_in_pieces(folder / "out", 0, {.threads = 2}, silent,
                                 [](std::size_t, std::span<std::byte>) -> Status { return bad_input("never called"); });
  ASSERT_TRUE(written.ok());
  EXPECT_EQ(written->sha256, sha256_of(""));
}

}  // namespace
}  // namespace fastvlm
