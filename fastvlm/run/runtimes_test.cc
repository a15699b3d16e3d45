#include "fastvlm/run/runtimes.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "fastvlm/run/fetch.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

class RuntimesTest : public testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }

  Path put(const Path& name, std::string_view text = "") {
    fs::create_directories((folder_ / name).parent_path());
    EXPECT_TRUE(write_file_atomically(folder_ / name, text).ok());
    return folder_ / name;
  }

  // Plays python3 with pip and zipfile: "downloads" a wheel, and unpacks the given files.
  Path python(std::string_view pip, std::string_view unpack) {
    Path script = put("python", fmt::format("#!/bin/sh\n"
                                            "if [ \"$2\" = pip ]; then\n"
                                            "  while [ \"$1\" != --dest ]; do shift; done; cd \"$2\"\n"
                                            "  {}\n"
                                            "else\n"
                                            "  mkdir \"$5\"; cd \"$5\"; {}\n"
                                            "fi\n",
                                            pip, unpack));
    fs::permissions(script, fs::perms::owner_all);
    return script;
  }
  FetchOptions fetch_with(const Path& python) const {
    return {.cache_folder = folder_ / "cache", .kinds = {RuntimeKind::kOnnxRuntime}, .python = python};
  }
  Path cached_onnxruntime() const {
    const PinnedWheel& wheel = *pinned_wheel(RuntimeKind::kOnnxRuntime);
    return runtime_folder(folder_ / "cache", wheel) / wheel.library;
  }
  std::size_t entries_of_cache() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder_ / "cache"), fs::directory_iterator()));
  }

  static constexpr const char* kUnpack =
      "mkdir -p onnxruntime/capi; cd onnxruntime; echo x >capi/libonnxruntime.so.1.29.0; echo y >LICENSE; echo z "
      ">ThirdPartyNotices.txt";
  Path folder_ = Path(testing::TempDir()) / fmt::format("runtimes_test.{}", ::getpid());
};

TEST_F(RuntimesTest, FetchingAsksForThePinnedWheelAndLaysOutTheFolder) {
  std::vector<std::string> lines;
  FetchOptions options = fetch_with(python("cat requirements.txt; : >a.whl", kUnpack));
  options.on_output_line = [&](std::string_view line) { lines.emplace_back(line); };
  auto fetched = fetch_runtimes(options);
  ASSERT_TRUE(fetched.ok()) << fetched.error().message;
  ASSERT_EQ(fetched->size(), 1u);
  EXPECT_FALSE((*fetched)[0].was_there);
  EXPECT_TRUE(fs::exists((*fetched)[0].licence));
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0], fmt::format("onnxruntime==1.29.0 --hash=sha256:{}", (*fetched)[0].wheel->sha256));

  auto paths = find_runtimes({.cache_folder = folder_ / "cache"});
  ASSERT_TRUE(paths.ok());
  EXPECT_EQ(paths->onnxruntime_library, cached_onnxruntime());
  EXPECT_EQ(paths->onnxruntime_version, "1.29.0");
}

TEST_F(RuntimesTest, FetchingAgainDoesNothing) {
  ASSERT_TRUE(fetch_runtimes(fetch_with(python(": >a.whl", kUnpack))).ok());
  auto again = fetch_runtimes(fetch_with("/nowhere/python"));
  ASSERT_TRUE(again.ok()) << again.error().message;
  EXPECT_TRUE((*again)[0].was_there);
}

TEST_F(RuntimesTest, AFailedFetchTellsWhyAndLeavesNothing) {
  auto refused = fetch_runtimes(fetch_with(python("echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES'; exit 1", kUnpack)));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().kind, ErrorKind::kEnvironment);
  EXPECT_NE(refused.error().message.find("DO NOT MATCH"), std::string::npos) << refused.error().message;
  EXPECT_EQ(entries_of_cache(), 0u);

  EXPECT_FALSE(fetch_runtimes(fetch_with(python("true", kUnpack))).ok());
  EXPECT_FALSE(fetch_runtimes(fetch_with(python(": >a.whl", "mkdir onnxruntime"))).ok());
  EXPECT_EQ(entries_of_cache(), 0u);
}

TEST_F(RuntimesTest, APathThatWasGivenWins) {
  put(cached_onnxruntime());
  const Path own = put("own/libonnxruntime.so.1.31.0");
  const Path plugin = put("qnn/libonnxruntime_providers_qnn.so");
  for (const Path& given : {own, own.parent_path()}) {
    auto paths = find_runtimes({.onnxruntime_library = given, .qnn_plugin = plugin, .cache_folder = folder_ / "cache"});
    ASSERT_TRUE(paths.ok()) << paths.error().message;
    EXPECT_EQ(paths->onnxruntime_library, own);
    EXPECT_EQ(paths->onnxruntime_version, "1.31.0");
    EXPECT_EQ(paths->qnn_plugin, plugin);
    EXPECT_EQ(paths->qnn_folder, folder_ / "qnn");
    EXPECT_EQ(paths->qnn_version, "");
  }
}

TEST_F(RuntimesTest, APathThatLeadsNowhereIsWrongUsage) {
  auto paths = find_runtimes({.onnxruntime_library = folder_ / "nowhere"});
  ASSERT_FALSE(paths.ok());
  EXPECT_EQ(paths.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(paths.error().message,
            fmt::format("`onnxruntime_library` {}: neither a file nor a folder with libonnxruntime.so", (folder_ / "nowhere").string()));
}

TEST_F(RuntimesTest, SaysHowToGetWhatIsMissing) {
  put(cached_onnxruntime());
  const RuntimeSearch search{.cache_folder = folder_ / "cache"};
  EXPECT_TRUE(require_runtimes(search, /*with_qnn=*/false).ok());
  auto paths = require_runtimes(search, /*with_qnn=*/true);
  ASSERT_FALSE(paths.ok());
  EXPECT_EQ(paths.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(paths.error().message,
            "the QNN plug-in of ONNX Runtime is missing; run \"fastvlm-npu doctor --fetch\", or name the library with "
            "`qnn_plugin`");
}

TEST(Runtimes, MachinesThatShareAHomeKeepTheirLibrariesApart) {
  std::set<Path> folders;
  for (const PinnedWheel& wheel : kPinnedWheels) folders.insert(runtime_folder("/cache", wheel));
  EXPECT_EQ(folders, (std::set<Path>{"/cache/onnxruntime-1.29.0", "/cache/onnxruntime-1.29.0-aarch64", "/cache/onnxruntime-qnn-2.7.0",
                                     "/cache/onnxruntime-qnn-2.7.0-aarch64"}));
}

TEST(Runtimes, TheCacheFollowsTheUsersFolders) {
  EXPECT_EQ(default_cache_folder("/cache", "/home/me"), "/cache/fastvlm-npu/runtimes");
  EXPECT_EQ(default_cache_folder("relative", "/home/me"), "/home/me/.cache/fastvlm-npu/runtimes");
  EXPECT_EQ(default_cache_folder(nullptr, "/home/me"), "/home/me/.cache/fastvlm-npu/runtimes");
  EXPECT_EQ(default_cache_folder(nullptr, nullptr), "");
}

}  // namespace
}  // namespace fastvlm
