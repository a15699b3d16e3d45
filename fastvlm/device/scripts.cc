#include "fastvlm/device/scripts.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "fastvlm/device/script_templates.h"
#include "fastvlm/run/fetch.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::device {
namespace {

std::string file_rows(const BundleManifest& manifest) {
  std::string rows;
  for (const auto& [name, file] : manifest.files)
    rows += fmt::format("{}{} {} {}", rows.empty() ? "" : "\n", file.bytes, file.sha256, name);
  return rows;
}

// The lines that fetch the wheels for Linux on arm64, and the name of ONNX Runtime's library.
struct WheelLines {
  std::string commands;
  std::string library, onnxruntime, qnn;
};
WheelLines wheel_lines(bool with_onnxruntime) {
  WheelLines lines;
  for (const PinnedWheel& wheel : kPinnedWheels) {
    const bool ort = wheel.kind == RuntimeKind::kOnnxRuntime;
    if (wheel.machine != "aarch64" || (ort && !with_onnxruntime)) continue;
    lines.commands += fmt::format("  fetch_wheel {0} {1} {2} {3}\n  {4}=$folder\n", wheel.package, wheel.version, wheel.platform,
                                  wheel.sha256, ort ? "ort_wheel" : "qnn_wheel");
    (ort ? lines.onnxruntime : lines.qnn) = wheel.version;
    if (ort) lines.library = Path(wheel.library).filename().string();
  }
  if (!lines.commands.empty()) lines.commands.pop_back();
  return lines;
}

std::string htp_number(const std::string& architecture) { return architecture.substr(architecture.find_first_of("0123456789")); }

std::string marketing_of(const std::string& chip) {
  const auto chosen = find_chip(known_targets(), chip);
  return chosen.ok() ? chosen->chip->marketing : chip;
}

bool is_letter_or_digit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// Patterns of the shell for what the system of a machine with this chip says: its names, but not phones and architectures.
std::string chip_names(const std::string& chip) {
  std::string patterns = chip + "*";
  const auto chosen = find_chip(known_targets(), chip);
  if (!chosen.ok()) return patterns;
  std::vector<std::string> names = chosen->chip->also;
  names.insert(names.begin(), chosen->chip->alias);
  for (const std::string& name : names)
    if (std::ranges::all_of(name, is_letter_or_digit) && name.size() > 2 && !name.starts_with('v')) patterns += " | " + name + "*";
  return patterns;
}

// Name, pixels and number of tokens of each answer.
std::string answer_rows(const SelfTest& test) {
  std::string rows;
  for (const PictureAnswer& answer : test.answers)
    rows += fmt::format("{}{} {} {}", rows.empty() ? "" : "\n", answer.name, answer.pixel_values.file, answer.ids.size());
  return rows;
}

// Of an answer: what the context leaves behind the picture and a question of usual length. Genie does not stop at its end by itself.
std::int64_t room_for_answer(const BundleManifest& manifest, const SelfTest& test) {
  std::int64_t prompt = 0;
  for (const PictureAnswer& answer : test.answers) {
    std::int64_t tokens = answer.image_features.shape.size() == 3 ? answer.image_features.shape[1] : 0;
    for (const auto& piece : answer.pieces) tokens += static_cast<std::int64_t>(piece.size());
    prompt = std::max(prompt, tokens);
  }
  constexpr std::int64_t kLongerQuestion = 64, kFewest = 8, kMost = 256;
  return std::clamp(manifest.context - prompt - kLongerQuestion, kFewest, kMost);
}

}  // namespace

std::string filled(std::string_view text, const std::vector<std::pair<std::string, std::string>>& values) {
  std::string result(text);
  for (const auto& [name, value] : values) {
    const std::string mark = "@" + name + "@";
    for (std::size_t at = result.find(mark); at != std::string::npos; at = result.find(mark, at + value.size()))
      result.replace(at, mark.size(), value);
  }
  return result;
}

std::map<std::string, std::string> bundle_scripts(const BundleManifest& manifest, const SelfTest& test) {
  const bool genie = manifest.runtime == kGenie;
  const WheelLines wheels = wheel_lines(!genie);
  const std::string shared = filled(kSharedFunctions, {{"FILES", file_rows(manifest)}});
  const std::vector<std::pair<std::string, std::string>> values = {
      {"SHARED", shared},
      {"HEAD", std::string(kRunHead)},
      {"CHECK_CHIP", std::string(kCheckChip)},
      {"FIND_PROGRAM", std::string(kFindProgram)},
      {"READ_OPTIONS", std::string(kReadOptions)},
      {"CHECK_FIRST", std::string(kCheckFirst)},
      {"CHIP_NAMES", chip_names(manifest.chip)},
      {"THROUGH", genie ? "through Genie " : ""},
      {"NO_PROGRAM", genie ? "make the pixels elsewhere (see README.md) and give them with --pixels"
                           : "push it with push.sh --program FILE, or name it in FASTVLM_NPU"},
      {"MORE_OPTIONS", genie ? "--pixels | " : ""},
      {"READ_MORE", genie ? "    --pixels) pixels=$2 && shift ;;\n" : ""},
      {"WHEEL_NAMES", genie ? "of the QNN plug-in, which holds Genie," : "of ONNX Runtime and its QNN plug-in"},
      {"COPY_ORT", genie ? "" : fmt::format("  run cp \"$ort_wheel/onnxruntime/capi/{}\" \"$stage/\"\n", wheels.library)},
      {"MORE_LIBRARIES", genie ? "lib/aarch64-android/libGenie.so lib/aarch64-android/libQnnHtpNetRunExtensions.so " : ""},
      {"ANSWERS", answer_rows(test)},
      {"TOKENS", std::to_string(room_for_answer(manifest, test))},
      {"PROGRAM", manifest.program},
      {"CHIP", manifest.chip},
      {"MARKETING", marketing_of(manifest.chip)},
      {"ARCHITECTURE", manifest.architecture},
      {"SOC_MODEL", std::to_string(manifest.soc_model)},
      {"COMPILER", manifest.compiler},
      {"HTP", htp_number(manifest.architecture)},
      {"RECIPE", manifest.recipe},
      {"CONTEXT", std::to_string(manifest.context)},
      {"SIZES", fmt::format("{}", fmt::join(manifest.image_sizes, ", "))},
      {"WHEELS", wheels.commands},
      {"ORT", wheels.onnxruntime},
      {"QNN", wheels.qnn},
      {"PROBES", test.probes.empty()
                     ? "A bundle made with `--probe` also names the first tensor that departs."
                     : "The runs under `probes` give the output of every layer, so that `verify` names the first that departs."}};
  return {{"README.md", filled(genie ? kGeniePage : kBundlePage, values)},
          {"push.sh", filled(kPushScript, values)},
          {"run.sh", filled(genie ? kGenieRunScript : kRunScript, values)}};
}

}  // namespace fastvlm::device
