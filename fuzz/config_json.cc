// Any bytes as config.json beside the tensors of a good checkpoint: an error or a config that can be built from.
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/checkpoint/model_config.h"

namespace {

// The golden checkpoint's weights with a config of our own.
fastvlm::Path checkpoint_folder() {
  using namespace fastvlm;
  static const TemporaryFolder folder = TemporaryFolder::create().value();
  std::filesystem::create_symlink(Path(FASTVLM_TEST_DATA) / "golden/apple-tied/checkpoint/model.safetensors",
                                  folder.path() / "model.safetensors");
  return folder.path();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  static const Path folder = checkpoint_folder();
  FASTVLM_ASSERT(write_file_atomically(folder / "config.json", {reinterpret_cast<const char*>(data), size}).ok(), "the config");
  auto checkpoint = Checkpoint::open(folder);
  if (!checkpoint.ok()) return 0;
  auto config = read_model_config(*checkpoint);
  if (!config.ok()) return 0;
  FASTVLM_ASSERT(config->text.num_attention_heads * config->text.head_dim > 0 && config->text.head_dim % 2 == 0, "heads that can be built");
  FASTVLM_ASSERT(config->text.num_attention_heads % config->text.num_key_value_heads == 0, "heads that share");
  FASTVLM_ASSERT(config->text.rope_theta > 1, "angles that can be computed");
  return 0;
}
