// What arrives in place of a file of a checkpoint: pointers, pages, archives, half of it.
#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

Result<std::unique_ptr<PreparedExport>> prepared(const Path& folder) { return prepare_export({.model_dir = folder, .image_size = 128}); }

TEST(WrongFiles, EveryFileIsNamedWhenItHoldsSomethingElse) {
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:" + std::string(64, '0') + "\nsize 1234567\n";
  struct Wrong {
    std::string bytes;
    const char* part;
  };
  const Wrong wrong[] = {{pointer, "Git LFS pointer"},
                         {"<!DOCTYPE html><html>", "HTML"},
                         {"", "empty file"},
                         {"PK\x03\x04 something", "zip archive"},
                         {std::string("\x1f\x8b\x08\0\0\0\0\0", 8), "gzip"},
                         {std::string(4096, '\0'), "zeros"},
                         {"{\"error\": \"Repository not found\"}", "Repository not found"},
                         {"Entry not found", "Entry not found"}};
  struct Place {
    const char *golden, *file;
  };
  for (const auto& [golden, file] :
       {Place{"apple-tied", "model.safetensors"}, Place{"apple-tied", "config.json"}, Place{"hf-untied-sharded", "tokenizer.json"},
        Place{"apple-tied", "vocab.json"}, Place{"apple-tied", "merges.txt"}, Place{"apple-tied", "tokenizer_config.json"}})
    for (const Wrong& row : wrong) {
      const std::string_view name = file;
      const bool text = row.bytes.find("not found") != std::string::npos;
      if (text && (name == "merges.txt" || name == "vocab.json" || name == "tokenizer_config.json")) continue;  // refused as other text is
      FolderForTests folder;
      EditedCheckpoint checkpoint(folder.path() / "checkpoint", golden);
      checkpoint.save();
      checkpoint.write(file, row.bytes);
      auto result = prepared(checkpoint.path());
      ASSERT_FALSE(result.ok()) << file << " " << row.part;
      EXPECT_EQ(result.error().kind, ErrorKind::kBadInput);
      EXPECT_NE(result.error().message.find(row.part), std::string::npos) << result.error().message;
      EXPECT_NE(result.error().message.find(file), std::string::npos) << result.error().message;
    }
}

TEST(WrongFiles, HalfADownloadIsNamed) {
  FolderForTests folder;
  EditedCheckpoint checkpoint(folder.path() / "checkpoint", "apple-tied");
  checkpoint.save();
  const auto size = fs::file_size(checkpoint.path() / "model.safetensors");
  for (std::uintmax_t part : {size - 1, size / 2, std::uintmax_t{5000}, std::uintmax_t{12}}) {
    fs::resize_file(checkpoint.path() / "model.safetensors", part);
    auto result = prepared(checkpoint.path());
    ASSERT_FALSE(result.ok()) << part;
    EXPECT_NE(result.error().message.find("cut short"), std::string::npos) << result.error().message;
    EXPECT_NE(result.error().message.find("download it again"), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace fastvlm
