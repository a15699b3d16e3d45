#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/image/png_writer.h"
#include "fastvlm/image/preprocess.h"

namespace fastvlm::cli {
namespace {

struct PreprocessArguments {
  Path image;
  std::int64_t image_size = 1024;
  std::string mode = "pad";
  bool ignore_exif = false;
  Path output;
};

void add_options(OptionTable& options, PreprocessArguments& a, CommonArguments& common) {
  options.path("--image", a.image, "JPEG or PNG file").set_required();
  options.value("--image-size", a.image_size, "N", "Side in pixels, a multiple of 64").show_default();
  options.choice("--mode", a.mode, {"pad", "crop"}, "pad: on a black square (Apple); crop: the middle square (hf)");
  options.flag("--ignore-exif", a.ignore_exif, "Do not turn the picture upright");
  options.path("--output", a.output, "File to write: .png or .bin").set_required();
  add_json(options, common);
}

Status write_pixel_values(const Path& path, const Image& image) {
  std::vector<float> values(image.rgb.size());
  to_pixel_values(image, values);
  return write_file_atomically(path, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

Result<OrderedJson> run_preprocess(const PreprocessArguments& arguments) {
  const std::string kind = arguments.output.extension().string();
  std::error_code ignored;
  if (kind != ".png" && kind != ".bin") return bad_usage("--output {}: must end in .png or .bin", arguments.output.string());
  if (std::filesystem::equivalent(arguments.image, arguments.output, ignored))
    return bad_usage("--output {}: is the picture itself", arguments.output.string());
  if (arguments.image_size < 1 || arguments.image_size > kMaxImageSize)
    return bad_usage("--image-size {}: must be a multiple of 64 up to {}", arguments.image_size, kMaxImageSize);
  const int size = static_cast<int>(arguments.image_size);
  TRY(check_image_size(size));
  TRY_ASSIGN(ImageMode mode, image_mode_of(arguments.mode));
  TRY_ASSIGN(Image picture, load_image(arguments.image, {.ignore_exif = arguments.ignore_exif}));
  TRY_ASSIGN(Image seen, preprocess(picture, size, mode));
  if (kind == ".png") {
    TRY(write_png(arguments.output, seen));
  } else {
    TRY(write_pixel_values(arguments.output, seen));
  }
  return OrderedJson{{"image", arguments.image.string()},
                     {"width", picture.width},
                     {"height", picture.height},
                     {"image_size", size},
                     {"mode", arguments.mode},
                     {"output", arguments.output.string()},
                     {"content", kind == ".png" ? "RGB picture" : "float32 [3, S, S]"},
                     {"bytes", std::filesystem::file_size(arguments.output, ignored)}};
}

ExitCode run(const PreprocessArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(const OrderedJson facts, run_preprocess(arguments));
  if (common.json)
    print_json(facts);
  else if (!common.quiet)
    print_line(fmt::format("{}: {} x {} by {} from {} x {}, {}", arguments.output.string(), arguments.image_size, arguments.image_size,
                           arguments.mode, facts["width"].get<int>(), facts["height"].get<int>(),
                           human_bytes(facts["bytes"].get<std::uint64_t>())));
  return 0;
}

}  // namespace

Verb preprocess_verb(CommonArguments& common) {
  return make_verb<PreprocessArguments>(
      {.name = "preprocess",
       .group = kToolsGroup,
       .summary = "Make the picture that the vision tower sees",
       .details = "out.png is the picture; out.bin holds pixel_values: little-endian float32 [3, S, S] (red, green and blue\n"
                  "plane) from 0 to 1. Byte for byte what the Python reference makes.",
       .examples = "  fastvlm-npu preprocess --image cat.jpg --image-size 512 --output cat.png"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
