#include "fastvlm/export/model_identity.h"

#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm {
namespace {

std::string identity_of(const Path& folder) {
  const auto checkpoint = Checkpoint::open(folder);
  EXPECT_TRUE(checkpoint.ok());
  return model_identity(*checkpoint).value();
}

TEST(ModelIdentity, ANumberInAnyRowOfASmallTensorIsSeenAndFilesAreNot) {
  const FolderForTests folder;
  EditedCheckpoint copy(folder / "copy", "hf-untied-sharded");
  copy.save();
  const std::string original = identity_of(golden_folder("hf-untied-sharded") / "checkpoint");
  EXPECT_EQ(identity_of(copy.path()), original) << "one file instead of shards";
  auto& bytes = copy.tensor("model.language_model.layers.1.self_attn.k_proj.weight").tensor.bytes;
  for (const std::size_t at : {bytes.size() / 2, bytes.size() - 1}) {
    bytes[at] ^= std::byte{1};
    copy.save();
    EXPECT_NE(identity_of(copy.path()), original) << at;
    bytes[at] ^= std::byte{1};
  }
}

}  // namespace
}  // namespace fastvlm
