#include "fastvlm/base/file_content.h"

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

using namespace std::string_literals;

TEST(FileContent, NamesWhatArrivesInPlaceOfAModel) {
  struct Row {
    std::string bytes;
    const char* part;  // nullptr: nothing is said
  };
  const Row rows[] = {
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1234567\n", "Git LFS pointer"},
      {"<!DOCTYPE html><html lang=\"en\">", "HTML"},
      {"\n  <html>", "HTML"},
      {"\xef\xbb\xbf<?xml version=\"1.0\"?><Error>", "HTML or XML"},
      {"PK\x03\x04\x14", "zip archive"},
      {"\x1f\x8b\x08\x00"s, "gzip"},
      {std::string(257, 'x') + "ustar", "tar archive"},
      {"BZh91AY", "bzip2"},
      {"\xfd\x37zXZ\x00"s, "xz archive"},
      {"\x28\xb5\x2f\xfd ", "zstd"},
      {"7z\xbc\xaf\x27\x1c", "7z archive"},
      {"GGUF\x03\x00\x00\x00"s, "GGUF"},
      {"\x80\x02}q\x00."s, "pickle"},
      {std::string(64, '\0'), "zeros"},
      {"", "empty"},
      {"\xff\xfe{\0"s, "UTF-16"},
      {"{\"error\":\"Repository not found\"}", "error answer"},
      {"Entry not found", "Entry not found"},
      {"\x10\x00\x00\x00\x00\x00\x00\x00{}"s, nullptr},
  };
  for (const Row& row : rows) {
    const auto what = wrong_content(row.bytes, row.bytes.size());
    EXPECT_EQ(what.has_value(), row.part != nullptr) << row.bytes;
    if (!what || row.part == nullptr) continue;
    EXPECT_NE(what->find(row.part), std::string::npos) << *what;
    EXPECT_EQ(what->find('\n'), std::string::npos) << *what;
  }
}

TEST(FileContent, TextIsNotWrongByItself) {
  for (const char* text : {"{\"a\": 1}", "Entry not found", "<|im_start|>{{ message }}", "#version: 0.2\na b\n"})
    EXPECT_FALSE(known_content(text, std::strlen(text))) << text;
  EXPECT_FALSE(wrong_json("{\"cut\": "));
  EXPECT_FALSE(wrong_json("[1, 2"));
  EXPECT_EQ(wrong_json("Entry not found").value(), "text that begins with \"Entry not found\"");
}

TEST(FileContent, AnErrorInJsonIsWhatTheServerSaid) {
  EXPECT_NE(server_answer(Json{{"error", "Repository not found"}}).value().find("(\"Repository not found\")"), std::string::npos);
  EXPECT_TRUE(server_answer(Json{{"message", "Bad credentials"}, {"status", "401"}}));
  EXPECT_FALSE(server_answer(Json{{"model_type", "llava_qwen2"}}));
  EXPECT_FALSE(server_answer(Json::array()));
}

TEST(FileContent, KnowsDownloadsThatAreNotFinishedAndLinksToNothing) {
  EXPECT_EQ(unfinished_suffix("model.safetensors.crdownload"), ".crdownload");
  EXPECT_EQ(unfinished_suffix("8f3a.incomplete"), ".incomplete");
  EXPECT_EQ(unfinished_suffix("model.safetensors"), "");
  EXPECT_EQ(unfinished_suffix(".part"), "");
  FolderForTests folder;
  std::filesystem::create_symlink("blobs/none", folder / "link");
  folder.write("file", "x");
  EXPECT_TRUE(is_dangling_link(folder / "link"));
  EXPECT_FALSE(is_dangling_link(folder / "file"));
  EXPECT_FALSE(is_dangling_link(folder / "absent"));
  auto opened = InputFile::open(folder / "link");
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().message, (folder / "link").string() + ": a link to a file that is not there");
}

}  // namespace
}  // namespace fastvlm
