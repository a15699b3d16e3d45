#include "fastvlm/base/plain_path.h"

#include <gtest/gtest.h>

#include <string>

namespace fastvlm {
namespace {

TEST(PlainPath, KnowsWhatStaysInTheFolder) {
  for (const char* name : {"a", "a..b", "..a", "a..", "...", "npu/vision.onnx", "npu/..b/c", "./a", "a/./b", "a b", "größe.bin", "ab:c"})
    EXPECT_TRUE(stays_in_folder(name)) << name;
  for (const char* name :
       {"", "/", "/etc/passwd", "..", "../a", "a/..", "a/../../b", "a/../b", "\\a", "a\\..\\b", "c:\\a", "c:a", "a\nb", "\x7f"})
    EXPECT_FALSE(stays_in_folder(name)) << name;
  EXPECT_FALSE(stays_in_folder(std::string_view("a\0b", 3)));
}

TEST(PlainPath, KnowsFileNames) {
  for (const char* name : {"a", "a..b", "..a", "a.onnx", "...", "a b"}) EXPECT_TRUE(is_file_name(name)) << name;
  for (const char* name : {"", ".", "..", "a/b", "a/", "/a", "a\\b", "c:a", "\t"}) EXPECT_FALSE(is_file_name(name)) << name;
}

}  // namespace
}  // namespace fastvlm
