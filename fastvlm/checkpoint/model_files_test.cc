#include "fastvlm/checkpoint/model_files.h"

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

using Names = std::vector<std::string>;

Names names_of(const std::vector<Path>& paths) {
  Names names;
  for (const Path& path : paths) names.push_back(path.filename().string());
  return names;
}

constexpr const char* kIndex = R"({"weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}})";

struct Choice {
  const char* title;
  Names files;  // that lie in the folder; an index gets kIndex
  Names weights;
  Names passed_over;
};

TEST(ModelFiles, AreThoseThatTransformersWouldLoad) {
  const Names shards = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"};
  const Choice rows[] = {
      {"one file", {"model.safetensors"}, {"model.safetensors"}, {}},
      {"one file before shards",
       {"model.safetensors", "model.safetensors.index.json", shards[0], shards[1]},
       {"model.safetensors"},
       {shards[0], shards[1], "model.safetensors.index.json"}},
      {"what the index names and nothing else",
       {"model.safetensors.index.json", shards[0], shards[1], "model-00003-of-00003.safetensors", "consolidated.safetensors"},
       shards,
       {"consolidated.safetensors", "model-00003-of-00003.safetensors"}},
      {"variants and other formats",
       {"model.safetensors", "model.fp16.safetensors", "pytorch_model.bin", "consolidated.00.pth", "model-q4.gguf", "tf_model.h5",
        "pytorch_model.bin.index.json"},
       {"model.safetensors"},
       {"consolidated.00.pth", "model-q4.gguf", "model.fp16.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json",
        "tf_model.h5"}},
      {"what a trainer leaves is no model",
       {"model.safetensors", "training_args.bin", "optimizer.pt", "rng_state_0.pth"},
       {"model.safetensors"},
       {}},
      {"a whole set without its index", shards, shards, {}},
  };
  for (const Choice& row : rows) {
    FolderForTests folder;
    folder.write("config.json", "{}");
    for (const std::string& name : row.files) folder.write(name, name == "model.safetensors.index.json" ? kIndex : "x");
    auto files = choose_model_files(folder.path());
    ASSERT_TRUE(files.ok()) << row.title << ": " << files.error().message;
    EXPECT_EQ(names_of(files->weights), row.weights) << row.title;
    EXPECT_EQ(files->passed_over, row.passed_over) << row.title;
    EXPECT_EQ(files->findings.size(), std::string_view(row.title) == "a whole set without its index" ? 1u : 0u) << row.title;
  }
}

struct Refused {
  Names files;
  const char* part;
};

TEST(ModelFiles, WithoutAModelWhatIsThereIsNamed) {
  const Refused rows[] = {
      {{}, "no *.safetensors file here"},
      {{"pytorch_model.bin"}, "only pytorch_model.bin, which is not read; convert it"},
      {{"pytorch_model-00001-of-00002.bin", "pytorch_model.bin.index.json"}, "only pytorch_model-00001-of-00002.bin"},
      {{"model-f16.gguf"}, "only model-f16.gguf"},
      {{"model.fp16.safetensors"}, "only model.fp16.safetensors; if one of them is the model, name it model.safetensors"},
      {{"consolidated.safetensors"}, "only consolidated.safetensors"},
      {{"mm_projector.bin"}, "holds a projector but no model; name the model that it belongs to with `base_model`"},
      {{"adapter_model.safetensors"}, "no adapter_config.json"},
      {{"model.safetensors.incomplete"}, "model.safetensors.incomplete: the download is not finished"},
      {{"model.safetensors.part"}, "not finished"},
      {{"model.safetensors.crdownload"}, "not finished"},
      {{"model-00001-of-00002.safetensors"}, "1 of 2 shards"},
      {{"model-00001-of-00002.safetensors", "model-00001-of-00003.safetensors"}, "shards of two sets"},
      {{"model.safetensors.index.json", "model-00001-of-00002.safetensors"}, "names the shard model-00002-of-00002.safetensors, which is"},
      {{"model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors.part"},
       "of which only model-00002-of-00002.safetensors.part is there"},
  };
  for (const Refused& row : rows) {
    FolderForTests folder;
    folder.write("config.json", "{}");
    for (const std::string& name : row.files) folder.write(name, name == "model.safetensors.index.json" ? kIndex : "x");
    auto files = choose_model_files(folder.path());
    ASSERT_FALSE(files.ok()) << row.part;
    EXPECT_EQ(files.error().kind, ErrorKind::kBadInput);
    EXPECT_NE(files.error().message.find(row.part), std::string::npos) << files.error().message;
  }
}

TEST(ModelFiles, AnIndexThatIsSomethingElseIsNamed) {
  for (const auto& [text, part] :
       {std::pair{"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"}, std::pair{"<html>", "HTML"},
        std::pair{"", "empty file"},
        std::pair{R"({"error": "Invalid credentials"})", "error answer of a server (\"Invalid credentials\")"}}) {
    FolderForTests folder;
    folder.write("config.json", "{}");
    folder.write("model.safetensors.index.json", text);
    auto files = choose_model_files(folder.path());
    ASSERT_FALSE(files.ok());
    EXPECT_NE(files.error().message.find(part), std::string::npos) << files.error().message;
    EXPECT_NE(files.error().message.find("model.safetensors.index.json"), std::string::npos) << files.error().message;
  }
}

TEST(ModelFiles, AFullFileWithAControlFileBesideItIsHalfADownload) {
  for (const char* name : {"model.safetensors", "mm_projector.safetensors", "adapter_model.safetensors"}) {
    FolderForTests folder;
    for (const char* file : {"config.json", "adapter_config.json", "model.safetensors", "adapter_model.safetensors", name})
      folder.write(file, "x");
    EXPECT_TRUE(choose_model_files(folder.path()).ok());
    EXPECT_TRUE(choose_overlay_files(folder.path()).ok());
    folder.write(std::string(name) + ".aria2", "x");
    const auto model = choose_model_files(folder.path());
    const auto overlay = choose_overlay_files(folder.path());
    const std::string message = !model.ok() ? model.error().message : overlay.ok() ? "taken" : overlay.error().message;
    EXPECT_NE(message.find(std::string(name) + ": the download is not finished, " + name + ".aria2 is beside it"), std::string::npos)
        << message;
  }
}

TEST(ModelFiles, ALinkWithoutATargetAndAFolderTooHighAreTold) {
  FolderForTests folder;
  folder.write("config.json", "{}");
  std::filesystem::create_symlink("../../blobs/none", folder / "model.safetensors");
  auto files = choose_model_files(folder.path());
  ASSERT_FALSE(files.ok());
  EXPECT_NE(files.error().message.find("a link to a file that is not there"), std::string::npos) << files.error().message;

  folder.write("hub/snapshots/1234/config.json", "{}");
  files = choose_model_files(folder / "hub");
  ASSERT_FALSE(files.ok());
  EXPECT_NE(files.error().message.find("name one of its folders: snapshots/1234"), std::string::npos) << files.error().message;
  EXPECT_NE(choose_model_files(folder / "config.json").error().message.find("not a folder"), std::string::npos);
  EXPECT_NE(choose_model_files(folder / "absent").error().message.find("no such folder"), std::string::npos);
}

}  // namespace
}  // namespace fastvlm
