#include "fastvlm/base/hash.h"

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/interrupt.h"

namespace fastvlm {
namespace {

// Vectors of FIPS 180-4 and of NIST's example collection.
TEST(Sha256, KnownVectors) {
  struct Case {
    std::string text;
    const char* hex;
  };
  const Case cases[] = {
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {std::string(1000000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  for (const Case& c : cases) EXPECT_EQ(sha256_of(c.text), c.hex) << c.text.substr(0, 20);
}

TEST(Sha256, PiecesGiveTheHashOfTheWhole) {
  const std::string text = "the same bytes, however they are cut";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.update(as_bytes(std::string_view(text).substr(0, cut)));
    hash.update(as_bytes(std::string_view(text).substr(cut)));
    EXPECT_EQ(hash.hex(), sha256_of(text)) << cut;
  }
}

TEST(Sha256, AFileIsHashedInPiecesToTheSameValue) {
  FolderForTests folder;
  for (std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{4} << 20, (std::size_t{4} << 20) + 1}) {
    const std::string bytes(size, 'x');
    auto hash = sha256_of_file(folder.write("file", bytes));
    ASSERT_TRUE(hash.ok());
    EXPECT_EQ(*hash, sha256_of(bytes)) << size;
  }
  EXPECT_FALSE(sha256_of_file(folder / "missing").ok());
}

TEST(Sha256, AnInterruptStopsTheReading) {
  FolderForTests folder;
  const Path path = folder.write("file", "x");
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  stop.request_stop();
  auto hash = sha256_of_file(path);
  ASSERT_FALSE(hash.ok());
  EXPECT_EQ(hash.error().kind, ErrorKind::kInterrupted);
}

}  // namespace
}  // namespace fastvlm
