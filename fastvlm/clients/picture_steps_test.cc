// How a checkpoint makes its pictures is in the files of every layout, or the layout refuses it by name.
#include <gtest/gtest.h>

#include "fastvlm/base/json.h"
#include "fastvlm/clients/genie.h"
#include "fastvlm/clients/npu_layout.h"
#include "fastvlm/clients/onnxruntime_genai.h"
#include "fastvlm/clients/transformers_js.h"
#include "fastvlm/export/edited_checkpoint_for_tests.h"

namespace fastvlm::clients {
namespace {

// The files of a layout for a golden checkpoint whose image processor is changed.
class PictureSteps : public testing::Test {
 public:
  Result<std::map<std::string, std::string>> files_of(const Json& change, Status (*add)(const LayoutInput&, LayoutFiles&)) {
    const EditedCheckpoint checkpoint(folder_ / "checkpoint", "hf-unfused");
    checkpoint.save();
    checkpoint.edit([&](Json& json) { json.update(change); }, "preprocessor_config.json");
    const auto chip = find_chip(known_targets(), "sm8750");
    ExportOptions options{
        .model_dir = checkpoint.path(), .image_size = 128, .npu = NpuOptions{.targets = {"sm8750"}, .prefill = {32}, .context = 128}};
    const auto prepared = prepare_export(options);
    if (!prepared.ok()) return prepared.error();
    LayoutFiles files;
    const Status added = add({.prepared = **prepared, .variants = find_variants({"fp32"}).value(), .chip = chip.value()}, files);
    if (!added.ok()) return added.error();
    return files.bytes;
  }

  Json json_of(const Json& change, Status (*add)(const LayoutInput&, LayoutFiles&), const char* file) {
    const auto files = files_of(change, add);
    EXPECT_TRUE(files.ok()) << files.error().message;
    return files.ok() ? Json::parse(files->at(file)) : Json();
  }

  // "Resize 160, CenterCrop 128".
  std::string genai_steps(const Json& change) {
    std::string steps;
    const Json config = json_of(change, add_onnxruntime_genai, "genai_processor_config.json");
    for (const Json& step : config["processor"]["transforms"]) {
      const Json& operation = step["operation"];
      if (!operation["attrs"].contains("width")) continue;
      steps += fmt::format("{}{} {}", steps.empty() ? "" : ", ", operation["type"].get<std::string>(), operation["attrs"]["width"].dump());
    }
    return steps;
  }

 private:
  FolderForTests folder_;
};

const Json kCrop = {{"crop_size", {{"height", 128}, {"width", 128}}}, {"size", {{"shortest_edge", 128}}}};

Json with(const char* key, const Json& value) {
  Json json = kCrop;
  json[key] = value;
  return json;
}

const Json kTo160 = with("size", {{"shortest_edge", 160}}), kTo96 = with("size", {{"shortest_edge", 96}});
const Json kUnresized = with("do_resize", false);

TEST_F(PictureSteps, GenaiCutsTheMiddleOutOfALargerPicture) {
  EXPECT_EQ(genai_steps(kCrop), "Resize 128");
  EXPECT_EQ(genai_steps(kTo160), "Resize 160, CenterCrop 128");
  EXPECT_EQ(genai_steps(kUnresized), "CenterCrop 128");
}

// Padded to a square of 160 pixels, of which the middle is taken; or padded and not resized.
Json padded(const char* key, const Json& value) {
  Json json = with(key, value);
  json["image_processor_type"] = "LlavaImageProcessor", json["do_pad"] = true;
  return json;
}

TEST_F(PictureSteps, WhatAClientCannotDoIsRefused) {
  struct Case {
    Json change;
    Status (*add)(const LayoutInput&, LayoutFiles&);
    const char* words;
  };
  for (const auto& [change, add, words] :
       {Case{kTo96, add_onnxruntime_genai, "cannot put a border around a picture"},
        Case{kTo96, add_transformers_js, "cannot make 128 by 128 pixels of a picture that is not square and resized to 96"},
        Case{padded("size", {{"shortest_edge", 160}}), add_transformers_js, "not square and resized to 160"},
        Case{padded("do_resize", false), add_transformers_js, "cannot pad a picture without resizing it"}}) {
    const auto files = files_of(change, add);
    ASSERT_FALSE(files.ok()) << words;
    EXPECT_NE(files.error().message.find(words), std::string::npos) << files.error().message;
  }
}

TEST_F(PictureSteps, TransformersJsResizesOnlyWhereTheCheckpointDoes) {
  EXPECT_EQ(json_of(kCrop, add_transformers_js, "preprocessor_config.json")["do_resize"], true);
  EXPECT_EQ(json_of(kUnresized, add_transformers_js, "preprocessor_config.json")["do_resize"], false);
}

TEST_F(PictureSteps, GenieSaysHowAPictureIsResized) {
  const Json image = json_of(kTo160, add_genie, "genie/prompt.json")["image"];
  EXPECT_EQ(image["resample"], "bicubic");
  EXPECT_EQ(image["resize_to"], 160);
  EXPECT_EQ(image["do_resize"], true);
  EXPECT_EQ(json_of(kUnresized, add_genie, "genie/prompt.json")["image"]["do_resize"], false);
}

TEST_F(PictureSteps, TheClientOfTheNpuLayoutResizesOnlyWhereTheCheckpointDoes) {
  for (const Json& change : {kTo160, kUnresized}) {
    const auto files = files_of(change, add_npu_layout);
    ASSERT_TRUE(files.ok()) << files.error().message;
    EXPECT_EQ(files->at("npu/client.py").find("picture.resize(") == std::string::npos, change == kUnresized);
    EXPECT_NE(files->at("npu/client.py").find("picture.crop("), std::string::npos);
  }
}

}  // namespace
}  // namespace fastvlm::clients
