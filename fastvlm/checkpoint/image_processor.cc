#include "fastvlm/checkpoint/image_processor.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

using Three = std::array<double, 3>;
constexpr Three kClipMean = {0.48145466, 0.4578275, 0.40821073}, kClipStd = {0.26862954, 0.26130258, 0.27577711};
constexpr Three kHalves = {0.5, 0.5, 0.5};

// What a key that is absent means to an image processor of transformers.
struct ProcessorType {
  std::string_view name;
  Three mean, std;
  ResizeFilter filter = ResizeFilter::kBicubic;
  bool center_crop = true;
  bool shortest_edge = true;            // of the size that is taken when none is stated; else both sides
  bool number_is_shortest_edge = true;  // what a size that is one number means
  bool can_pad = false;                 // do_pad: to a square, with the mean as colour
  bool can_be_square = false;           // use_square_size, of which versions of transformers make different sizes
};
constexpr ProcessorType kTypes[] = {
    {.name = "CLIPImageProcessor", .mean = kClipMean, .std = kClipStd, .can_be_square = true},
    {.name = "CLIPFeatureExtractor", .mean = kClipMean, .std = kClipStd, .can_be_square = true},
    {.name = "LlavaImageProcessor", .mean = kClipMean, .std = kClipStd, .can_pad = true},
    {.name = "BitImageProcessor", .mean = kClipMean, .std = kClipStd},
    {.name = "SiglipImageProcessor", .mean = kHalves, .std = kHalves, .center_crop = false, .shortest_edge = false},
    {.name = "ViTImageProcessor",
     .mean = kHalves,
     .std = kHalves,
     .filter = ResizeFilter::kBilinear,
     .center_crop = false,
     .shortest_edge = false,
     .number_is_shortest_edge = false},
};
constexpr int kDefaultSide = 224;
constexpr int kMaxSide = 65'535;

// Keys that say something else than how pixels are made.
constexpr std::string_view kHarmless[] = {
    "image_processor_type", "feature_extractor_type",     "processor_class", "auto_map", "_valid_processor_keys", "_processor_class",
    "data_format",          "input_data_format",          "return_tensors",  "device",   "disable_grouping",      "image_seq_length",
    "patch_size",           "num_additional_image_tokens"};
constexpr std::string_view kHonoured[] = {"default_to_square", "size",         "crop_size", "do_resize",      "do_center_crop",
                                          "do_rescale",        "do_normalize", "do_pad",    "do_convert_rgb", "resample",
                                          "rescale_factor",    "image_mean",   "image_std"};

struct Side {
  int length = 0;
  bool shortest_edge = false;
};

class Reader {
 public:
  Reader(const OrderedJson& json, const ImageProcessorContext& context) : json_(json), context_(context) {}

  Result<PreprocessSettings> read() {
    TRY(read_type());
    TRY(check_keys());
    TRY(read_mean_and_std());
    TRY(read_filter());
    TRY(read_geometry());
    return settings_;
  }

 private:
  template <class... Args>
  Error refused(fmt::format_string<Args...> text, Args&&... args) const {
    return bad_input("{}: {}", context_.what, fmt::format(text, std::forward<Args>(args)...));
  }
  const OrderedJson* find(std::string_view key) const {
    const auto at = json_.find(key);
    return at == json_.end() || at->is_null() ? nullptr : &*at;
  }
  // A switch that is null is off, as in Python.
  Result<bool> flag(const char* key, bool fallback) const {
    const auto at = json_.find(key);
    if (at == json_.end()) return fallback;
    if (at->is_null()) return false;
    if (!at->is_boolean()) return refused("{} = {} must be true or false", key, at->dump());
    return at->get<bool>();
  }

  Status read_type() {
    const OrderedJson* stated = find("image_processor_type");
    if (stated == nullptr) stated = find("feature_extractor_type");
    type_ = &kTypes[0];
    if (stated == nullptr) return {};
    if (!stated->is_string()) return refused("image_processor_type must be text");
    const auto full = stated->get<std::string>();
    std::string name = full;
    for (std::string_view suffix : {"Fast", "Pil"})
      if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    const auto* row = std::ranges::find(kTypes, name, &ProcessorType::name);
    if (row == std::end(kTypes)) {
      std::string names;
      for (const ProcessorType& type : kTypes) names += fmt::format("{}{}", names.empty() ? "" : ", ", type.name);
      return refused("image_processor_type = \"{}\" is not supported; supported are {}", full, names);
    }
    if (full.ends_with("Fast"))
      context_.findings.push_back(fmt::format(
          "pictures are made as {} does, with Pillow; {} resizes with torchvision, which rounds single pixels otherwise", name, full));
    type_ = row;
    return {};
  }

  // A switch that is on and not known changes pixels in ways that are not known either; the rest is passed over as in transformers.
  Status check_keys() {
    std::string passed_over;
    for (const auto& [key, value] : json_.items()) {
      if (std::ranges::find(kHonoured, key) != std::end(kHonoured) || std::ranges::find(kHarmless, key) != std::end(kHarmless)) continue;
      if (value.is_null() || value == false) continue;
      if (key.starts_with("do_") || key == "image_grid_pinpoints" || key == "pad_size" || key == "size_divisor")
        return refused("{} = {} is not supported", key, value.dump());
      if (key == "use_square_size" && type_->can_be_square)
        return refused("{} = {} is not supported; write the size as {{\"height\", \"width\"}}", key, value.dump());
      if (key == "image_aspect_ratio" && value.is_string() && value.get<std::string>().starts_with("anyres"))
        return refused("{} = {} is not supported: it cuts a picture into tiles", key, value.dump());
      passed_over += fmt::format("{}{}", passed_over.empty() ? "" : ", ", key);
    }
    if (!passed_over.empty()) context_.findings.push_back(fmt::format("{}: passed over: {}", context_.what, passed_over));
    return {};
  }

  // One number for all channels, or three.
  Result<Three> numbers(const char* key, const Three& fallback) const {
    const OrderedJson* value = find(key);
    if (value == nullptr) return fallback;
    Three result{};
    const bool list = value->is_array();
    if (list && value->size() != 3) return refused("{} = {} must have three numbers, for red, green and blue", key, value->dump());
    for (std::size_t i = 0; i < 3; ++i) {
      const OrderedJson& number = list ? (*value)[i] : *value;
      if (!number.is_number()) return refused("{} = {} must be a number or three", key, value->dump());
      result[i] = number.get<double>();
      if (!std::isfinite(static_cast<float>(result[i]))) return refused("{} = {} must be finite", key, value->dump());
    }
    return result;
  }

  Status read_mean_and_std() {
    TRY_ASSIGN(mean_, numbers("image_mean", type_->mean));
    TRY_ASSIGN(const Three std, numbers("image_std", type_->std));
    TRY_ASSIGN(const bool normalize, flag("do_normalize", true));
    TRY_ASSIGN(const bool rescale, flag("do_rescale", true));
    if (normalize) {
      for (double value : std)
        if (static_cast<float>(value) == 0) return refused("image_std = 0 would divide by zero");
      settings_.mean = mean_;
      settings_.std = std;
    }
    if (!rescale) {
      settings_.rescale_factor = 1;
      return {};
    }
    const OrderedJson* factor = find("rescale_factor");
    if (factor == nullptr) return {};
    if (!factor->is_number() || !std::isfinite(factor->get<double>()) || factor->get<double>() == 0)
      return refused("rescale_factor = {} must be a number other than 0", factor->dump());
    settings_.rescale_factor = factor->get<double>();
    return {};
  }

  Status read_filter() {
    settings_.filter = type_->filter;
    const OrderedJson* value = find("resample");
    if (value == nullptr) return {};
    std::optional<ResizeFilter> filter;
    if (value->is_number_integer()) filter = resize_filter_of(value->get<std::int64_t>());
    if (value->is_string())
      if (auto named = resize_filter_of(value->get<std::string>()); named.ok()) filter = *named;
    if (!filter) return refused("resample = {} is not one of Pillow's filters (0 to 5)", value->dump());
    settings_.filter = *filter;
    return {};
  }

  Result<int> length(const char* key, const OrderedJson& value) const {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 || value.get<std::int64_t>() > kMaxSide)
      return refused("{} = {} must be a whole number from 1 to {}", key, value.dump(), kMaxSide);
    return static_cast<int>(value.get<std::int64_t>());
  }

  Result<Side> square(const char* key, const OrderedJson& whole, const OrderedJson& height, const OrderedJson& width) const {
    if (height != width) return refused("{} = {} is not square; FastVLM takes square pictures only", key, whole.dump());
    TRY_ASSIGN(const int side, length(key, height));
    return Side{.length = side};
  }

  // {"height", "width"}, {"shortest_edge"}, a list of both sides or one number.
  Result<Side> side(const char* key, const Side& fallback, bool number_is_shortest_edge) const {
    const OrderedJson* value = find(key);
    if (value == nullptr) return fallback;
    if (value->is_array() && value->size() == 2) return square(key, *value, (*value)[0], (*value)[1]);
    if (!value->is_object()) {
      TRY_ASSIGN(const int number, length(key, *value));
      return Side{.length = number, .shortest_edge = number_is_shortest_edge};
    }
    OrderedJson rest = *value;
    for (auto at = rest.begin(); at != rest.end();) {
      if (at->is_null())
        at = rest.erase(at);
      else
        ++at;
    }
    if (rest.size() == 2 && rest.contains("height") && rest.contains("width")) return square(key, *value, rest["height"], rest["width"]);
    if (!rest.contains("shortest_edge"))
      return refused("{} = {} is not supported; use {{\"height\", \"width\"}}, {{\"shortest_edge\"}} or a number", key, value->dump());
    TRY_ASSIGN(const int shortest, length(key, rest["shortest_edge"]));
    // A square has no longer edge that could be limited.
    const bool limit = rest.contains("longest_edge") && settings_.mode == ImageMode::kPad && rest["longest_edge"].is_number() &&
                       rest["longest_edge"] >= shortest;
    if (rest.size() != (limit ? 2u : 1u)) return refused("{} = {} is not supported beside shortest_edge", key, value->dump());
    return Side{.length = shortest, .shortest_edge = true};
  }

  Status read_pad() {
    TRY_ASSIGN(const bool pad, flag("do_pad", false));
    if (pad && !type_->can_pad && !context_.pads_before)
      return refused("do_pad = true is not supported for {}; LlavaImageProcessor pads to a square", type_->name);
    settings_.mode = pad || context_.pads_before ? ImageMode::kPad : ImageMode::kCrop;
    if (settings_.mode != ImageMode::kPad) return {};
    for (std::size_t i = 0; i < 3; ++i) {
      const double color = std::trunc(mean_[i] * 255);
      if (color < 0 || color > 255) return refused("image_mean = {} gives no colour to pad with; it must be from 0 to 1", mean_[i]);
      settings_.pad_color[i] = static_cast<std::uint8_t>(color);
    }
    return {};
  }

  Status read_geometry() {
    TRY(read_pad());
    TRY_ASSIGN(const bool resize, flag("do_resize", true));
    TRY_ASSIGN(const bool crop, flag("do_center_crop", type_->center_crop));
    TRY_ASSIGN(const bool convert, flag("do_convert_rgb", true));
    if (!convert)
      context_.findings.push_back(
          fmt::format("{}: do_convert_rgb is off; pictures that are not RGB are converted all the same", context_.what));
    TRY_ASSIGN(const bool square, flag("default_to_square", !type_->number_is_shortest_edge));
    TRY_ASSIGN(const Side to, side("size", {.length = kDefaultSide, .shortest_edge = type_->shortest_edge}, !square));
    TRY_ASSIGN(const Side cut, side("crop_size", {.length = kDefaultSide}, false));
    if (!resize && !crop) return refused("do_resize and do_center_crop are both off, so pictures would not come out in one size");
    if (crop && cut.shortest_edge) return refused("crop_size must be {{\"height\", \"width\"}} or a number");
    if (settings_.mode == ImageMode::kCrop && !to.shortest_edge) settings_.mode = ImageMode::kStretch;
    if (settings_.mode == ImageMode::kCrop && !crop)
      return refused("do_center_crop = false leaves pictures that are not square; FastVLM takes square pictures only");
    settings_.resize = resize;
    settings_.size = crop ? cut.length : to.length;
    if (resize && to.length != settings_.size) settings_.resize_to = to.length;
    return {};
  }

  const OrderedJson& json_;
  const ImageProcessorContext& context_;
  const ProcessorType* type_ = nullptr;
  Three mean_{};
  PreprocessSettings settings_;
};

}  // namespace

Result<PreprocessSettings> settings_of(const OrderedJson& processor, const ImageProcessorContext& context) {
  return Reader(processor, context).read();
}

}  // namespace fastvlm
