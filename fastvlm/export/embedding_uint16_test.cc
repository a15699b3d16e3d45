#include "fastvlm/export/embedding_uint16.h"

#include <cstring>
#include <limits>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"

namespace fastvlm {
namespace {

PreparedGraph decoder(const std::string& recipe, std::optional<Encoding> encoding) {
  PreparedGraph graph;
  graph.entry.role = GraphRole::kDecoder;
  graph.entry.extents.recipe = recipe;
  graph.entry.inputs.push_back(
      {.name = kInputsEmbeds, .type = encoding ? encoding->dtype : Dtype::kFloat32, .shape = {}, .encoding = encoding});
  return graph;
}

TEST(CodedTables, ThereIsOneForEachEncodingThatDecodersTake) {
  const Encoding wide{.dtype = Dtype::kUint16, .scale = 0.5f, .zero_point = 7}, fine{.dtype = Dtype::kUint16, .scale = 0.25f};
  std::vector<PreparedGraph> graphs;
  graphs.push_back(decoder("", std::nullopt));
  graphs.push_back(decoder("w8a16", wide));
  graphs.push_back(decoder("w8a16", wide));
  graphs.push_back(decoder("w4a16", wide));
  graphs.push_back(decoder("own", fine));
  const auto tables = coded_tables(graphs);
  ASSERT_EQ(tables.size(), 2u);
  EXPECT_EQ(tables[0].file, "embedding_uint16_lut.bin");
  EXPECT_EQ(tables[0].encoding, wide);
  EXPECT_EQ(tables[0].recipes, (std::vector<std::string>{"w8a16", "w4a16"}));
  EXPECT_EQ(tables[1].file, "embedding_uint16_lut_own.bin");
  EXPECT_EQ(tables[1].recipes, (std::vector<std::string>{"own"}));
  graphs.resize(1);
  EXPECT_TRUE(coded_tables(graphs).empty());
}

TEST(Uint16Table, HalvesGoToTheEvenNeighbourAndWhatIsTooLargeToTheLastCode) {
  const FolderForTests folder;
  Progress silent;
  const float infinity = std::numeric_limits<float>::infinity();
  const auto written = write_uint16_table(Weight::of_values({2, 4}, {0, 0.5f, 1.5f, 1, 70000, -70000, infinity, -3}, "test"),
                                          {.dtype = Dtype::kUint16, .scale = 1, .zero_point = 100}, folder / "lut.bin", {}, silent);
  ASSERT_TRUE(written.ok());
  const std::string bytes = folder.read("lut.bin");
  std::vector<std::uint16_t> codes(bytes.size() / 2);
  std::memcpy(codes.data(), bytes.data(), bytes.size());
  EXPECT_EQ(codes, (std::vector<std::uint16_t>{100, 100, 102, 101, 65535, 0, 100, 97}));
}

TEST(Uint16Table, AnyNumberOfThreadsGivesTheSameBytesAndItsNoiseIsThatOfTheFile) {
  constexpr std::int64_t kRows = 1501, kColumns = 1501;  // several pieces; rows cross their borders
  auto source = std::make_shared<MatrixSource>();
  source->rows = kRows, source->columns = kColumns;
  source->read = [](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1, std::span<float> out) -> Status {
    std::size_t at = 0;
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) out[at++] = static_cast<float>((r * 7919 + c * 31) % 2001 - 1000) * 0.001f;
    return {};
  };
  const WeightPtr table = Weight::of_source({kRows, kColumns}, std::move(source), {"table"}, "");
  const Encoding encoding{.dtype = Dtype::kUint16, .scale = 2.0f / 65535, .zero_point = 32768};
  std::set<std::string> hashes;
  std::set<double> noises;
  for (const unsigned threads : {1u, 2u, 5u}) {
    const FolderForTests folder;
    Progress silent;
    const auto written = write_uint16_table(table, encoding, folder / "lut.bin", {.threads = threads}, silent);
    ASSERT_TRUE(written.ok());
    EXPECT_EQ(written->file.bytes, static_cast<std::uint64_t>(2 * kRows * kColumns));
    hashes.insert(sha256_of_file(folder / "lut.bin").value());
    noises.insert(written->sqnr_db);
  }
  EXPECT_EQ(hashes.size(), 1u);
  ASSERT_EQ(noises.size(), 1u);
  // Errors are spread evenly over a code: 12 over its square, under a signal of a third.
  EXPECT_NEAR(*noises.begin(), 10 * std::log10(12.0 / 3 * 65535 * 65535 / 4), 0.1);
}

}  // namespace
}  // namespace fastvlm
