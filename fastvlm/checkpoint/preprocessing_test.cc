#include "fastvlm/checkpoint/preprocessing.h"

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

const Json kApple = {{"image_aspect_ratio", "pad"}, {"mm_vision_tower", "mobileclip_l_256"}};
const Json kHf = {{"image_seq_length", 16}};
const OrderedJson kOwn = default_image_processor({.size = 512});

class Preprocessing : public testing::Test {
 protected:
  Result<CheckpointPreprocessing> read(const Json& config) {
    return read_preprocessing(folder_.path(), config, config.contains("mm_vision_tower") ? "llava_qwen2" : "fast_vlm");
  }
  Result<CheckpointPreprocessing> read_with(const Json& config, const OrderedJson& changes) {
    OrderedJson own = kOwn;
    own.merge_patch(changes);
    folder_.write("preprocessor_config.json", own.dump());
    return read(config);
  }
  // A null that merge_patch would take as "remove".
  Result<CheckpointPreprocessing> read_text(const std::string& text) {
    folder_.write("preprocessor_config.json", text);
    return read(kHf);
  }
  FolderForTests folder_;
};

TEST_F(Preprocessing, TheFileDecidesAboutTheSizeAndImageSeqLengthDoesNot) {
  const auto hf = read_with(kHf, OrderedJson::object());
  ASSERT_TRUE(hf.ok()) << hf.error().message;
  EXPECT_EQ(hf->settings, (PreprocessSettings{.size = 512, .mode = ImageMode::kCrop}));
  EXPECT_EQ(hf->file, "preprocessor_config.json");
  ASSERT_EQ(hf->findings.size(), 1u);
  EXPECT_NE(hf->findings[0].find("image_seq_length is 16"), std::string::npos);
  const auto apple = read_with(kApple, OrderedJson::object());
  ASSERT_TRUE(apple.ok());
  EXPECT_EQ(apple->settings, (PreprocessSettings{.size = 512, .mode = ImageMode::kPad}));
  EXPECT_NE(apple->findings.at(0).find("mm_vision_tower names 256 pixels, but the checkpoint's pictures have 512"), std::string::npos);
}

TEST_F(Preprocessing, ANestedImageProcessorGoesBeforeTheFile) {
  OrderedJson nested = kOwn;
  nested["size"] = 448;
  nested["crop_size"] = 448;
  folder_.write("preprocessor_config.json", kOwn.dump());
  folder_.write("processor_config.json", OrderedJson{{"processor_class", "LlavaProcessor"}, {"image_processor", nested}}.dump());
  const auto both = read(kHf);
  ASSERT_TRUE(both.ok()) << both.error().message;
  EXPECT_EQ(both->settings.size, 448);
  EXPECT_EQ(both->file, "processor_config.json");
  EXPECT_EQ(both->image_processor, nested);
  EXPECT_NE(both->findings.at(0).find("preprocessor_config.json is passed over"), std::string::npos);
  folder_.write("processor_config.json", R"({"processor_class": "LlavaProcessor"})");
  EXPECT_EQ(read(kHf)->settings.size, 512);
}

TEST_F(Preprocessing, WithoutAFileFastVlmsOwnSettingsAreUsedAndAFindingSaysSo) {
  const auto apple = read(kApple);
  ASSERT_TRUE(apple.ok());
  EXPECT_EQ(apple->settings, (PreprocessSettings{.size = 256}));
  EXPECT_TRUE(apple->findings.empty());
  const auto hf = read(kHf);
  ASSERT_TRUE(hf.ok());
  EXPECT_EQ(hf->settings, PreprocessSettings{});
  EXPECT_NE(hf->findings.at(0).find("which transformers needs"), std::string::npos);
}

TEST_F(Preprocessing, OnlyPadPadsAndAnyresIsRefused) {
  Json config = kApple;
  config["image_aspect_ratio"] = nullptr;
  EXPECT_EQ(read(config)->settings.mode, ImageMode::kCrop);
  config["image_aspect_ratio"] = "square";
  EXPECT_EQ(read(config)->settings.mode, ImageMode::kCrop);
  for (const char* tiles : {"anyres", "anyres_max_9"}) {
    config["image_aspect_ratio"] = tiles;
    EXPECT_NE(read(config).error().message.find("image_aspect_ratio = \"anyres"), std::string::npos);
  }
}

struct Honoured {
  OrderedJson changes;
  PreprocessSettings settings;
};

TEST_F(Preprocessing, EveryFormOfEverySettingIsHonoured) {
  using enum ImageMode;
  const std::array<double, 3> clip_mean = {0.48145466, 0.4578275, 0.40821073}, clip_std = {0.26862954, 0.26130258, 0.27577711};
  const std::array<double, 3> halves = {0.5, 0.5, 0.5};
  const OrderedJson none;
  const Honoured rows[] = {
      {{{"size", 576}}, {.size = 512, .mode = kCrop, .resize_to = 576}},
      {{{"size", {{"shortest_edge", nullptr}, {"height", 512}, {"width", 512}}}}, {.size = 512, .mode = kStretch}},
      {{{"size", {448, 448}}, {"crop_size", 448}}, {.size = 448, .mode = kStretch}},
      {{{"size", {{"shortest_edge", nullptr}, {"height", 256}, {"width", 256}}}, {"do_center_crop", false}},
       {.size = 256, .mode = kStretch}},
      {{{"do_resize", false}}, {.size = 512, .mode = kCrop, .resize = false}},
      {{{"crop_size", {{"height", 448}, {"width", 448}}}}, {.size = 448, .mode = kCrop, .resize_to = 512}},
      {{{"resample", 0}}, {.size = 512, .mode = kCrop, .filter = ResizeFilter::kNearest}},
      {{{"resample", 1}}, {.size = 512, .mode = kCrop, .filter = ResizeFilter::kLanczos}},
      {{{"resample", 2}}, {.size = 512, .mode = kCrop, .filter = ResizeFilter::kBilinear}},
      {{{"image_mean", clip_mean}, {"image_std", clip_std}}, {.size = 512, .mode = kCrop, .mean = clip_mean, .std = clip_std}},
      {{{"image_mean", 0.5}, {"image_std", 0.5}}, {.size = 512, .mode = kCrop, .mean = halves, .std = halves}},
      {{{"image_mean", none}, {"image_std", none}}, {.size = 512, .mode = kCrop, .mean = clip_mean, .std = clip_std}},
      {{{"image_mean", clip_mean}, {"do_normalize", false}}, {.size = 512, .mode = kCrop}},
      {{{"do_rescale", false}}, {.size = 512, .mode = kCrop, .rescale_factor = 1}},
      {{{"rescale_factor", 0.5}}, {.size = 512, .mode = kCrop, .rescale_factor = 0.5}},
      {{{"image_processor_type", "LlavaImageProcessor"}, {"do_pad", true}, {"image_mean", 0.5}},
       {.size = 512, .pad_color = {127, 127, 127}, .mean = halves}},
      {{{"image_processor_type", "SiglipImageProcessor"},
        {"size", {{"shortest_edge", nullptr}, {"height", 512}, {"width", 512}}},
        {"do_center_crop", none},
        {"image_mean", none},
        {"image_std", none}},
       {.size = 512, .mode = kStretch, .mean = halves, .std = halves}},
      {{{"image_processor_type", "SiglipImageProcessor"}, {"size", 576}}, {.size = 512, .mode = kCrop, .resize_to = 576}},
      {{{"image_processor_type", "SiglipImageProcessor"}, {"size", 512}, {"default_to_square", true}, {"do_center_crop", false}},
       {.size = 512, .mode = kStretch}},
      {{{"image_processor_type", "ViTImageProcessor"}, {"size", 512}, {"do_center_crop", false}}, {.size = 512, .mode = kStretch}},
      {{{"image_processor_type", "ViTImageProcessor"}, {"size", 576}, {"default_to_square", false}},
       {.size = 512, .mode = kCrop, .resize_to = 576}},
      {{{"image_processor_type", "BitImageProcessor"}, {"use_square_size", true}}, {.size = 512, .mode = kCrop}},
  };
  for (const Honoured& row : rows) {
    const auto read = read_with(kHf, row.changes);
    ASSERT_TRUE(read.ok()) << row.changes << ": " << read.error().message;
    EXPECT_EQ(read->settings, row.settings) << row.changes;
  }
}

TEST_F(Preprocessing, ThePadColourIsTheMeanAsInLlava) {
  const auto padded = read_with(kApple, {{"image_mean", {0.48145466, 0.4578275, 0.40821073}}});
  EXPECT_EQ(padded->settings.pad_color, (Color{122, 116, 104}));
  EXPECT_EQ(padded->settings.mode, ImageMode::kPad);
}

TEST_F(Preprocessing, WhatIsNotHonouredIsRefusedByName) {
  const std::pair<OrderedJson, const char*> rows[] = {
      {{{"size", {{"shortest_edge", nullptr}, {"height", 512}, {"width", 640}}}}, "is not square"},
      {{{"crop_size", {512, 256}}}, "crop_size = [512,256] is not square"},
      {{{"size", {{"shortest_edge", nullptr}, {"longest_edge", 512}}}}, "size = {\"longest_edge\":512} is not supported"},
      {{{"size", {{"longest_edge", 512}}}}, "is not supported beside shortest_edge"},
      {{{"size", "big"}}, "size = \"big\" must be a whole number"},
      {{{"size", 0}}, "size = 0 must be"},
      {{{"crop_size", 500}}, "image size 500: must be a multiple of 64"},
      {{{"do_center_crop", false}}, "do_center_crop = false leaves pictures that are not square"},
      {{{"image_processor_type", "SiglipImageProcessor"}, {"size", 512}, {"do_center_crop", false}}, "leaves pictures that are not square"},
      {{{"use_square_size", true}}, "use_square_size = true is not supported"},
      {{{"do_center_crop", false}, {"do_resize", false}}, "do_resize and do_center_crop are both off"},
      {{{"do_center_crop", 1}}, "do_center_crop = 1 must be true or false"},
      {{{"do_pad", true}}, "do_pad = true is not supported for CLIPImageProcessor"},
      {{{"do_flip_channel_order", true}}, "do_flip_channel_order = true is not supported"},
      {{{"image_grid_pinpoints", {{256, 512}}}}, "image_grid_pinpoints = [[256,512]] is not supported"},
      {{{"image_aspect_ratio", "anyres"}}, "image_aspect_ratio = \"anyres\" is not supported"},
      {{{"resample", 6}}, "resample = 6 is not one of Pillow's filters"},
      {{{"resample", "area"}}, "resample = \"area\" is not one"},
      {{{"image_mean", {0, 0}}}, "image_mean = [0,0] must have three numbers"},
      {{{"image_mean", "clip"}}, "image_mean = \"clip\" must be a number or three"},
      {{{"image_std", 0}}, "image_std = 0 would divide by zero"},
      {{{"rescale_factor", 0}}, "rescale_factor = 0 must be a number other than 0"},
      {{{"image_processor_type", "Qwen2VLImageProcessor"}}, "image_processor_type = \"Qwen2VLImageProcessor\" is not supported"},
  };
  for (const auto& [changes, message] : rows) {
    const auto refused = read_with(kHf, changes);
    ASSERT_FALSE(refused.ok()) << changes;
    EXPECT_NE(refused.error().message.find(message), std::string::npos) << refused.error().message;
    EXPECT_NE(refused.error().message.find("preprocessor_config.json: "), std::string::npos) << refused.error().message;
  }
  EXPECT_FALSE(read_text("[]").ok());
  EXPECT_FALSE(read_text("{\"size\": 1").ok());
}

TEST_F(Preprocessing, ASwitchThatIsNullIsOff) {
  const auto off = read_text(R"({"size": {"height": 256, "width": 256}, "do_center_crop": null, "do_normalize": null})");
  ASSERT_TRUE(off.ok()) << off.error().message;
  EXPECT_EQ(off->settings, (PreprocessSettings{.size = 256, .mode = ImageMode::kStretch}));
}

TEST_F(Preprocessing, WhatTransformersWouldDoOtherwiseIsAFinding) {
  const auto fast = read_with(kHf, {{"image_processor_type", "CLIPImageProcessorFast"}, {"do_convert_rgb", false}, {"crop_pct", 0.9}});
  ASSERT_TRUE(fast.ok()) << fast.error().message;
  std::string all;
  for (const std::string& finding : fast->findings) all += finding + "\n";
  for (const char* part : {"torchvision", "passed over: crop_pct", "do_convert_rgb is off"})
    EXPECT_NE(all.find(part), std::string::npos) << all;
}

TEST_F(Preprocessing, AnotherSizeKeepsTheFormsOfTheFileAndTheShareThatIsCutOff) {
  OrderedJson own = kOwn;
  own["size"] = 576;
  own["image_mean"] = 0.5;
  folder_.write("preprocessor_config.json", own.dump());
  const auto read = this->read(kHf);
  const PreprocessSettings at = read->settings.at_size(1024);
  OrderedJson expected = own;
  expected["size"] = 1152;
  expected["crop_size"] = {{"height", 1024}, {"width", 1024}};
  EXPECT_EQ(image_processor_at_size(read->image_processor, at), expected);
  folder_.write("preprocessor_config.json", expected.dump());
  EXPECT_EQ(this->read(kHf)->settings, at);
}

}  // namespace
}  // namespace fastvlm
