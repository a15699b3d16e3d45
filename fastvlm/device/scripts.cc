#include "fastvlm/device/scripts.h"

#include <fmt/ranges.h>

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
WheelLines wheel_lines() {
  WheelLines lines;
  for (const PinnedWheel& wheel : kPinnedWheels) {
    if (wheel.machine != "aarch64") continue;
    const bool ort = wheel.kind == RuntimeKind::kOnnxRuntime;
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
  const WheelLines wheels = wheel_lines();
  const std::string shared = filled(kSharedFunctions, {{"FILES", file_rows(manifest)}});
  const std::vector<std::pair<std::string, std::string>> values = {
      {"SHARED", shared},
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
      {"ORT_LIBRARY", wheels.library},
      {"ORT", wheels.onnxruntime},
      {"QNN", wheels.qnn},
      {"PROBES", test.probes.empty()
                     ? "A bundle made with `--probe` also names the first tensor that departs."
                     : "The runs under `probes` give the output of every layer, so that `verify` names the first that departs."}};
  return {{"README.md", filled(kBundlePage, values)}, {"push.sh", filled(kPushScript, values)}, {"run.sh", filled(kRunScript, values)}};
}

}  // namespace fastvlm::device
