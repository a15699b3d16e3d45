#include "fastvlm/bundle/manifest.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"

namespace fastvlm {
namespace {

std::string manifest(const std::string& files) {
  return R"({"format": "fastvlm-npu export", "format_version": 1, "files": )" + files + "}";
}

TEST(Manifest, DamagedOnesAreRefusedWithASentence) {
  struct Case {
    const char* what;
    std::string text;
    const char* message;
  };
  const Case cases[] = {
      {"empty", "", "not valid JSON"},
      {"cut off", R"({"format": "fastvlm-npu)", "not valid JSON"},
      {"a list", "[]", "expected an object with the key \"format\""},
      {"no format", R"({"format_version": 1})", "the key \"format\" is missing"},
      {"foreign", R"({"format": "other", "format_version": 1})", "format \"other\" is not \"fastvlm-npu export\""},
      {"no version", R"({"format": "fastvlm-npu export"})", "the key \"format_version\" is missing"},
      {"newer", R"({"format": "fastvlm-npu export", "format_version": 2})",
       "written in format version 2, this program reads 1; export again"},
      {"no files", R"({"format": "fastvlm-npu export", "format_version": 1})", "\"files\" must be a list"},
      {"files no list", manifest("{}"), "\"files\" must be a list"},
      {"row no object", manifest("[3]"), "expected an object with the key \"name\""},
      {"row without size", manifest(R"([{"name": "a", "sha256": "", "made": ""}])"), "the key \"bytes\" is missing"},
      {"size as text", manifest(R"([{"name": "a", "bytes": "1", "sha256": "", "made": ""}])"),
       "the key \"bytes\" must be an integer, but is string"},
      {"negative size", manifest(R"([{"name": "a", "bytes": -1, "sha256": "", "made": ""}])"), "file \"a\" has a negative size"},
      {"row without hash", manifest(R"([{"name": "a", "bytes": 1, "made": ""}])"), "the key \"sha256\" is missing"},
      {"absolute name", manifest(R"([{"name": "/etc/passwd", "bytes": 1, "sha256": "", "made": ""}])"),
       "file name \"/etc/passwd\" leaves the folder"},
      {"name that climbs", manifest(R"([{"name": "a/../../b", "bytes": 1, "sha256": "", "made": ""}])"),
       "file name \"a/../../b\" leaves the folder"},
      {"duplicate key", R"({"format": "fastvlm-npu export", "format": "x"})", "stands twice"},
  };
  for (const Case& c : cases) {
    FolderForTests folder;
    const Path file = folder.write(kManifestFile, c.text);
    auto problems = check_manifest_files(folder.path(), true);
    ASSERT_FALSE(problems.ok()) << c.what;
    EXPECT_EQ(problems.error().kind, ErrorKind::kBadInput) << c.what;
    EXPECT_TRUE(problems.error().message.starts_with(file.string() + ": ")) << problems.error().message;
    EXPECT_NE(problems.error().message.find(c.message), std::string::npos) << c.what << ": " << problems.error().message;
  }
}

TEST(Manifest, AFolderWithoutOneIsNoExport) {
  FolderForTests folder;
  EXPECT_EQ(read_manifest(folder.path()).error().message,
            folder.path().string() + ": no manifest.json here, so this is no folder written by export");
  EXPECT_EQ(read_manifest(folder / "gone").error().message, (folder / "gone").string() + ": there is no such folder");
}

TEST(Manifest, FilesMakeTheRoundTrip) {
  const std::map<std::string, ManifestFile> files = {{"a.onnx", {.bytes = 5, .sha256 = "00ff", .made = "graph"}},
                                                     {"npu/b.bin", {.bytes = std::uint64_t{1} << 40, .sha256 = "11", .made = "compiled"}}};
  auto read = manifest_files(Json{{"files", Json::parse(to_json(files).dump())}}, "folder");
  ASSERT_TRUE(read.ok()) << read.error().message;
  ASSERT_EQ(read->size(), 2u);
  EXPECT_EQ(read->at("npu/b.bin").bytes, std::uint64_t{1} << 40);
  EXPECT_EQ(read->at("a.onnx").sha256, "00ff");
  EXPECT_EQ(read->at("a.onnx").made, "graph");
}

TEST(Manifest, FilesThatDifferFromItAreNamed) {
  FolderForTests folder;
  std::map<std::string, ManifestFile> files;
  for (const char* name : {"sound", "short", "changed", "missing"}) {
    if (std::string_view(name) != "missing") folder.write(name, "bytes");
    files[name] = {.bytes = 5, .sha256 = sha256_of("bytes"), .made = "test"};
  }
  folder.write("short", "byte");
  folder.write("changed", "Bytes");
  folder.write(kManifestFile, manifest(to_json(files).dump()));
  auto problems = [&](bool hashes) {
    std::string text;
    const auto rows = check_manifest_files(folder.path(), hashes).value();
    for (const FileProblem& row : rows) text += row.file + " " + row.problem + "\n";
    return text;
  };
  const std::string sizes = "missing is missing\nshort has 4 bytes, the manifest says 5\n";
  EXPECT_EQ(problems(false), sizes);
  EXPECT_EQ(problems(true), fmt::format("changed has SHA-256 {}…, the manifest says {}…\n", sha256_of("Bytes").substr(0, 12),
                                        sha256_of("bytes").substr(0, 12)) +
                                sizes);
}

}  // namespace
}  // namespace fastvlm
