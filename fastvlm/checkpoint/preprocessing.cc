#include "fastvlm/checkpoint/preprocessing.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/image_processor.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

// The object of one of the two files, or nothing when the file is absent (or has no nested image processor).
Result<std::optional<OrderedJson>> object_of(const Path& path, const char* nested) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::optional<OrderedJson>();
  TRY_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes));
  TRY_ASSIGN(const Json strict, parse_json(text, path.string()));
  if (!strict.is_object()) return bad_input("{}: must be a JSON object", path.string());
  OrderedJson json = OrderedJson::parse(text);
  if (nested == nullptr) return std::optional(std::move(json));
  const Json* inner = json_find(strict, nested);
  if (inner == nullptr) return std::optional<OrderedJson>();
  if (!inner->is_object()) return bad_input("{}: \"{}\" must be an object", path.string(), nested);
  return std::optional(OrderedJson(json[nested]));
}

// The side that the name of Apple's tower ends in: "mobileclip_l_1024".
std::optional<int> size_of_tower(const Json& config) {
  const Json* tower = json_find(config, "mm_vision_tower");
  if (tower == nullptr || !tower->is_string()) return std::nullopt;
  const auto name = tower->get<std::string>();
  const std::string digits = name.substr(name.rfind('_') + 1);
  if (digits.empty() || digits.size() > 5 || !std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
  return std::stoi(digits);
}

// What LLaVA's process_images does before the image processor: only "pad" pads, all others but "anyres" do nothing.
Result<bool> pads_before(const Json& config, const std::string& what, std::vector<std::string>& findings) {
  const Json* ratio = json_find(config, "image_aspect_ratio");
  if (ratio == nullptr) {
    findings.push_back("config.json names no image_aspect_ratio; pictures are cropped to a square, as LLaVA does then");
    return false;
  }
  if (!ratio->is_string()) return bad_input("{}: image_aspect_ratio must be text, such as \"pad\"", what);
  const auto name = ratio->get<std::string>();
  if (name.starts_with("anyres"))
    return bad_input("{}: image_aspect_ratio = \"{}\" is not supported: it cuts a picture into tiles; FastVLM has \"pad\"", what, name);
  if (name != "pad")
    findings.push_back(fmt::format("image_aspect_ratio is \"{}\", so the middle of a picture is cut out, as LLaVA does", name));
  return name == "pad";
}

void note_other_sizes(const Json& config, CheckpointPreprocessing& p) {
  const std::string from = p.file.empty() ? "without a preprocessor_config.json" : "as " + p.file + " says";
  if (auto size = size_of_tower(config); size && *size != p.settings.size)
    p.findings.push_back(
        fmt::format("mm_vision_tower names {} pixels, but the checkpoint's pictures have {}, {}", *size, p.settings.size, from));
  const Json* tokens = json_find(config, "image_seq_length");
  const std::int64_t side = p.settings.size / 64;
  if (tokens != nullptr && tokens->is_number_integer() && tokens->get<std::int64_t>() != side * side)
    p.findings.push_back(fmt::format("image_seq_length is {}, but the checkpoint's pictures have {} pixels and so {} tokens, {}",
                                     tokens->get<std::int64_t>(), p.settings.size, side * side, from));
}

Status use_defaults(const Json& config, bool llava, CheckpointPreprocessing& p) {
  p.settings.size = size_of_tower(config).value_or(1024);
  if (!llava)
    p.findings.push_back(
        fmt::format("there is no {} and no {} with an image_processor, which transformers needs; FastVLM's settings are used: {} pixels, "
                    "padded with black",
                    kPreprocessorFile, kProcessorFile, p.settings.size));
  else if (!size_of_tower(config))
    p.findings.push_back(fmt::format("mm_vision_tower names no image size; {} is assumed", p.settings.size));
  return {};
}

}  // namespace

Result<CheckpointPreprocessing> read_preprocessing(const Path& folder, const Json& config, const std::string& model_type) {
  const std::string config_name = (folder / "config.json").string();
  const bool llava = model_type == "llava_qwen2";
  CheckpointPreprocessing p;
  TRY_ASSIGN(std::optional<OrderedJson> nested, object_of(folder / kProcessorFile, "image_processor"));
  TRY_ASSIGN(std::optional<OrderedJson> own, object_of(folder / kPreprocessorFile, nullptr));
  bool pads = !llava;  // FastVLM's own way, where nothing is said
  if (llava) {
    TRY_ASSIGN(pads, pads_before(config, config_name, p.findings));
  }
  if (nested || own) {
    p.file = nested ? kProcessorFile : kPreprocessorFile;
    p.image_processor = nested ? *nested : *own;
    if (nested && own && *nested != *own)
      p.findings.push_back(
          fmt::format("{} is passed over: image_processor of {} goes before it, as in transformers", kPreprocessorFile, kProcessorFile));
    TRY_ASSIGN(p.settings, settings_of(p.image_processor, {.pads_before = llava && pads,
                                                           .what = (folder / p.file).string() + (nested ? ": image_processor" : ""),
                                                           .findings = p.findings}));
  } else {
    p.settings.mode = pads ? ImageMode::kPad : ImageMode::kCrop;
    TRY(use_defaults(config, llava, p));
  }
  if (Status fits = check_image_size(p.settings.size); !fits)
    return bad_input("{}: {}", p.file.empty() ? config_name : (folder / p.file).string(), fits.error().message);
  note_other_sizes(config, p);
  return p;
}

OrderedJson image_processor_at_size(OrderedJson processor, const PreprocessSettings& settings) {
  // Each keeps the form in which it is written.
  auto set_side = [&](const char* key, int side, const OrderedJson& form) {
    if (!processor.contains(key) || processor[key].is_null()) processor[key] = form;
    OrderedJson& value = processor[key];
    if (!value.is_structured()) value = side;
    if (value.is_structured())
      for (OrderedJson& number : value) number = side;
  };
  const int to = settings.resized_side();
  if (settings.mode == ImageMode::kStretch)
    set_side("size", to, {{"height", to}, {"width", to}});
  else
    set_side("size", to, {{"shortest_edge", to}});
  set_side("crop_size", settings.size, {{"height", settings.size}, {"width", settings.size}});
  return processor;
}

OrderedJson default_image_processor(const PreprocessSettings& settings) {
  return {{"crop_size", {{"height", settings.size}, {"width", settings.size}}},
          {"do_center_crop", true},
          {"do_convert_rgb", true},
          {"do_normalize", true},
          {"do_rescale", true},
          {"do_resize", true},
          {"image_mean", settings.mean},
          {"image_processor_type", "CLIPImageProcessor"},
          {"image_std", settings.std},
          {"resample", static_cast<int>(settings.filter)},
          {"rescale_factor", settings.rescale_factor},
          {"size", {{"shortest_edge", settings.resized_side()}}}};
}

}  // namespace fastvlm
