#include "fastvlm/targets/qnn/compile/context_cache.h"

#include <functional>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"

namespace fastvlm::qnn {
namespace {

class ContextCacheTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_.write("made/vision_qnn.bin", "binary");
    folder_.write("made/vision_ctx.onnx", "wrapper");
    folder_.write("made/not named", "stays behind");
    std::filesystem::create_directories(folder_ / "out");
    cache_.keep("key", folder_ / "made", {"vision_qnn.bin", "vision_ctx.onnx"}, {{"binary", "vision_qnn.bin"}, {"bytes", 6}});
  }
  FolderForTests folder_;
  ContextCache cache_{folder_ / "cache"};
};

TEST_F(ContextCacheTest, WhatWasKeptComesBackWithItsFacts) {
  auto facts = cache_.take("key", folder_ / "out");
  ASSERT_TRUE(facts.has_value());
  EXPECT_EQ((*facts)["binary"], "vision_qnn.bin");
  EXPECT_EQ((*facts)["bytes"], 6);
  EXPECT_EQ(folder_.read("out/vision_qnn.bin"), "binary");
  EXPECT_EQ(folder_.read("out/vision_ctx.onnx"), "wrapper");
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out/not named"));
  EXPECT_FALSE(cache_.take("another key", folder_ / "out").has_value());
}

TEST_F(ContextCacheTest, ADamagedEntryIsNotTaken) {
  struct Case {
    const char* what;
    std::function<void(const Path& entry)> damage;
  };
  const Case cases[] = {
      {"changed byte", [](const Path& e) { (void)write_file_atomically(e / "vision_qnn.bin", "bInary"); }},
      {"cut off", [](const Path& e) { std::filesystem::resize_file(e / "vision_ctx.onnx", 3); }},
      {"missing file", [](const Path& e) { std::filesystem::remove(e / "vision_qnn.bin"); }},
      {"facts cut off", [](const Path& e) { std::filesystem::resize_file(e / "entry.json", 10); }},
      {"facts without files", [](const Path& e) { (void)write_file_atomically(e / "entry.json", R"({"binary": "vision_qnn.bin"})"); }},
      {"no files named", [](const Path& e) { (void)write_file_atomically(e / "entry.json", R"({"files": {}})"); }},
      {"a name that climbs",
       [](const Path& e) {
         (void)write_file_atomically(e / "entry.json", R"({"files": {"../../made/vision_qnn.bin": ")" + sha256_of("binary") + "\"}}");
       }},
      {"hash of another type", [](const Path& e) { (void)write_file_atomically(e / "entry.json", R"({"files": {"vision_qnn.bin": 3}})"); }},
  };
  for (const Case& c : cases) {
    std::filesystem::remove_all(folder_ / "cache");
    SetUp();
    c.damage(folder_ / "cache/key");
    EXPECT_FALSE(cache_.take("key", folder_ / "out").has_value()) << c.what;
    EXPECT_TRUE(std::filesystem::is_empty(folder_ / "out")) << c.what;
    // Keeping it again heals it.
    SetUp();
    EXPECT_TRUE(cache_.take("key", folder_ / "out").has_value()) << c.what;
    std::filesystem::remove_all(folder_ / "out");
    std::filesystem::create_directories(folder_ / "out");
  }
}

TEST_F(ContextCacheTest, AnEntryAppearsWholeOrNotAtAll) {
  cache_.keep("half", folder_ / "made", {"vision_qnn.bin", "no such file"}, {});
  EXPECT_FALSE(cache_.take("half", folder_ / "out").has_value());
  for (const auto& entry : std::filesystem::directory_iterator(folder_ / "cache")) EXPECT_EQ(entry.path().filename(), "key");
}

TEST_F(ContextCacheTest, WithoutAFolderNothingIsFoundAndNothingKept) {
  const ContextCache none{Path()};
  none.keep("key", folder_ / "made", {"vision_qnn.bin"}, {});
  EXPECT_FALSE(none.take("key", folder_ / "out").has_value());
}

}  // namespace
}  // namespace fastvlm::qnn
