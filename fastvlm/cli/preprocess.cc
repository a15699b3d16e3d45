#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/folder_preprocessing.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/image/png_writer.h"
#include "fastvlm/image/preprocess.h"

namespace fastvlm::cli {
namespace {

struct PreprocessArguments {
  Path image;
  Path model_dir;
  std::optional<std::int64_t> image_size;
  std::string mode;      // empty: what the folder says, or else pad
  std::string resample;  // empty: what the folder says, or else bicubic
  bool ignore_exif = false;
  std::uint64_t max_pixels = ImageDecodeOptions().max_pixels;
  Path output;
};

void add_options(OptionTable& options, PreprocessArguments& a, CommonArguments& common) {
  options.path("--image", a.image, "Picture file").set_required();
  options.path("--model-dir", a.model_dir, "Checkpoint or export whose settings are used; default: FastVLM's own")
      .complete(Completes::kFolder);
  options.value("--image-size", a.image_size, "N", "Side in pixels, a multiple of 64; default: the folder's, or else 1024");
  options.choice("--mode", a.mode, {"pad", "crop", "stretch"},
                 "pad: on a square of one colour (Apple); crop: the middle square (hf); stretch: both sides");
  options.choice("--resample", a.resample, {"nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"}, "Filter, as Pillow names it");
  options.flag("--ignore-exif", a.ignore_exif, "Do not turn the picture upright");
  options.value("--max-pixels", a.max_pixels, "N", "Largest picture that is read").show_default();
  options.path("--output", a.output, "File to write: .png or .bin").set_required();
  add_json(options, common);
}

Status write_pixel_values(const Path& path, const Image& image, const PreprocessSettings& settings) {
  std::vector<float> values(image.rgb.size());
  to_pixel_values(image, settings, values);
  return write_file_atomically(path, {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)});
}

// What the folder says, then what the command line says.
Result<PreprocessSettings> settings_for(const PreprocessArguments& arguments) {
  PreprocessSettings settings;
  if (!arguments.model_dir.empty()) {
    TRY_ASSIGN(settings, folder_preprocessing(arguments.model_dir));
  }
  if (arguments.image_size) {
    if (Status fits = check_image_size(*arguments.image_size); !fits) return std::move(fits).error().within("--image-size");
    settings = settings.at_size(static_cast<int>(*arguments.image_size));
  }
  if (!arguments.mode.empty()) {
    TRY_ASSIGN(settings.mode, image_mode_of(arguments.mode));
  }
  if (!arguments.resample.empty()) {
    TRY_ASSIGN(settings.filter, resize_filter_of(arguments.resample));
  }
  return settings;
}

Result<OrderedJson> run_preprocess(const PreprocessArguments& arguments) {
  const std::string kind = arguments.output.extension().string();
  std::error_code ignored;
  if (kind != ".png" && kind != ".bin") return bad_option("output", "{}: must end in .png or .bin", arguments.output.string());
  if (std::filesystem::equivalent(arguments.image, arguments.output, ignored))
    return bad_option("output", "{}: is the picture itself", arguments.output.string());
  TRY_ASSIGN(const PreprocessSettings settings, settings_for(arguments));
  const ImageDecodeOptions decode = {.ignore_exif = arguments.ignore_exif, .max_pixels = arguments.max_pixels};
  TRY_ASSIGN(const PreprocessedImage seen, load_preprocessed(arguments.image, {.settings = settings, .decode = decode}));
  if (kind == ".png") {
    TRY(write_png(arguments.output, seen.image));
  } else {
    TRY(write_pixel_values(arguments.output, seen.image, settings));
  }
  return OrderedJson{{"image", arguments.image.string()},
                     {"width", seen.source_width},
                     {"height", seen.source_height},
                     {"image_size", settings.size},
                     {"mode", name(settings.mode)},
                     {"resample", name(settings.filter)},
                     {"output", arguments.output.string()},
                     {"content", kind == ".png" ? "RGB picture" : "float32 [3, S, S]"},
                     {"bytes", std::filesystem::file_size(arguments.output, ignored)}};
}

ExitCode run(const PreprocessArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(const OrderedJson facts, run_preprocess(arguments));
  if (common.json)
    print_json(facts);
  else if (!common.quiet)
    print_line(fmt::format("{}: {} x {} by {} from {} x {}, {}", arguments.output.string(), facts["image_size"].get<int>(),
                           facts["image_size"].get<int>(), facts["mode"].get<std::string>(), facts["width"].get<int>(),
                           facts["height"].get<int>(), human_bytes(facts["bytes"].get<std::uint64_t>())));
  return 0;
}

}  // namespace

Verb preprocess_verb(CommonArguments& common) {
  return make_verb<PreprocessArguments>(
      {.name = "preprocess",
       .group = kToolsGroup,
       .summary = "Make the picture that the vision tower sees",
       .details = "out.png is the picture; out.bin holds pixel_values: little-endian float32 [3, S, S] (red, green and blue\n"
                  "plane), rescaled and normalised. Byte for byte what the Python reference makes (of HEIC and\n"
                  "AVIF nearly so).\n"
                  "Reads JPEG, PNG, GIF and BMP; WebP, TIFF, HEIC and AVIF where libwebp, libtiff and libheif are installed.",
       .examples = "  fastvlm-npu preprocess --image cat.jpg --image-size 512 --output cat.png\n"
                   "  fastvlm-npu preprocess --image cat.jpg --model-dir FastVLM-0.5B --output cat.bin"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
