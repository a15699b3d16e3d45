#include "fastvlm/device/bundle_for_tests.h"
#include "fastvlm/device/make_bundle.h"

namespace fastvlm::device {
namespace {

TEST(BundleManifest, IsReadAsItWasWritten) {
  FolderForTests folder;
  const BundleManifest manifest = write_made_up_bundle(folder);
  EXPECT_EQ(manifest.files.size(), 6u);
  const auto read = read_bundle(folder.path());
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_EQ(*read, manifest);
  EXPECT_EQ(bundle_text(*read), bundle_text(manifest));
}

TEST(BundleManifest, DamagedOnesAreRefusedWithASentenceThatNamesTheKey) {
  BundleManifest manifest = manifest_for_tests();
  manifest.files["tokenizer.json"] = {.bytes = 2, .sha256 = sha256_of("{}")};
  const std::string text = bundle_text(manifest);
  struct Damage {
    const char *from, *to, *words;
  };
  for (const auto& [from, to, words] :
       {Damage{"fastvlm-npu bundle", "fastvlm-npu export", "is not \"fastvlm-npu bundle\""},
        Damage{"\"format_version\": 1", "\"format_version\": 2", "format version 2"}, Damage{"\"bytes\": 2", "\"bytes\": -2", "\"bytes\""},
        Damage{"\"tokenizer.json\"", "\"../tokenizer.json\"", "must name a file in the folder"},
        Damage{"\"npu/sm8750/vision", "\"/npu/sm8750/vision", "must name a file in the folder"},
        Damage{"\"sm8750\"", "\"a/b\"", "no name of a chip"}, Damage{"\"qairt\"", "\"qart\"", "\"qairt\""},
        Damage{"\"files\"", "\"file\"", "\"files\""}}) {
    std::string damaged = text;
    ASSERT_NE(damaged.find(from), std::string::npos) << from;
    damaged.replace(damaged.find(from), std::string_view(from).size(), to);
    const auto read = parse_bundle(damaged, "b/bundle.json");
    ASSERT_FALSE(read.ok()) << to;
    EXPECT_NE(read.error().message.find(words), std::string::npos) << read.error().message;
  }
}

TEST(MakeBundle, IsNotMadeInsideOfAnotherFolderOfOurs) {
  FolderForTests folder;
  for (const char* mark : {"manifest.json", "layouts.json"}) {
    folder.write(std::string("out/") + mark, "{}");
    Progress progress;
    const auto made = make_bundle({.output_dir = folder / "out", .bundle_dir = folder / "out/deep/inner", .target = "sm8750"}, progress);
    ASSERT_FALSE(made.ok());
    EXPECT_EQ(made.error().kind, ErrorKind::kUsage);
    EXPECT_NE(made.error().message.find(mark), std::string::npos) << made.error().message;
    EXPECT_FALSE(std::filesystem::exists(folder / "out/deep"));
    std::filesystem::remove(folder / "out" / mark);
  }
}

}  // namespace
}  // namespace fastvlm::device
