// Brings the two runtimes that are loaded at run time, ONNX Runtime and its QNN plug-in, in the versions we were tried with.
// The files come from the Python package index through pip; nothing of them is part of this project or passed on by it.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

enum class RuntimeKind { kOnnxRuntime, kQnn };

// One wheel, pinned by its hash, and what we take out of it.
struct PinnedWheel {
  RuntimeKind kind;
  std::string_view machine;  // as uname calls it
  std::string_view package;  // on the package index
  std::string_view version;
  std::string_view platform;  // the wheel's platform tag
  std::string_view sha256;
  std::string_view library;  // in the folder of the runtime
  std::string_view licence;  // in the folder of the runtime
};

// The plug-in 2.7.0 is built for ONNX Runtime 1.29; a pair that moves apart fails at load.
inline constexpr std::array kPinnedWheels = {
    PinnedWheel{.kind = RuntimeKind::kOnnxRuntime,
                .machine = "x86_64",
                .package = "onnxruntime",
                .version = "1.29.0",
                .platform = "manylinux_2_28_x86_64",
                .sha256 = "85f8e8406c52658735fe5c7fbfd3ebaa1ed340768324f6252e4274e374580a23",
                .library = "lib/libonnxruntime.so.1.29.0",
                .licence = "LICENSE"},
    PinnedWheel{.kind = RuntimeKind::kQnn,
                .machine = "x86_64",
                .package = "onnxruntime-qnn",
                .version = "2.7.0",
                .platform = "manylinux_2_35_x86_64",
                .sha256 = "c56c01562b8534fe8980cfea4601408d950c065f8251fb862ce82101c52c9849",
                .library = "onnxruntime_qnn/libonnxruntime_providers_qnn.so",
                .licence = "onnxruntime_qnn/Qualcomm_LICENSE.pdf"},
    PinnedWheel{.kind = RuntimeKind::kOnnxRuntime,
                .machine = "aarch64",
                .package = "onnxruntime",
                .version = "1.29.0",
                .platform = "manylinux_2_28_aarch64",
                .sha256 = "16925ef8497e2c07e4b5ae15b504079b3ab3f65e22c58efd10dde0f3caea969a",
                .library = "lib/libonnxruntime.so.1.29.0",
                .licence = "LICENSE"},
    PinnedWheel{.kind = RuntimeKind::kQnn,
                .machine = "aarch64",
                .package = "onnxruntime-qnn",
                .version = "2.7.0",
                .platform = "manylinux_2_34_aarch64",
                .sha256 = "ad08bbfebd7c07ffe83995418303215f46cb25a89e12676f47ee20c32002eaad",
                .library = "onnxruntime_qnn/libonnxruntime_providers_qnn.so",
                .licence = "onnxruntime_qnn/Qualcomm_LICENSE.pdf"},
};

// The row for this machine, or nullptr on a machine that has none.
const PinnedWheel* pinned_wheel(RuntimeKind kind);

// "<cache>/onnxruntime-1.29.0" on x86-64, "<cache>/onnxruntime-1.29.0-aarch64" there: machines may share a home.
Path runtime_folder(const Path& cache_folder, const PinnedWheel& wheel);

struct FetchOptions {
  Path cache_folder;
  std::vector<RuntimeKind> kinds = {RuntimeKind::kOnnxRuntime, RuntimeKind::kQnn};
  Path python = "python3";                               // needs pip
  std::function<void(std::string_view)> on_output_line;  // what pip says
};

struct FetchedRuntime {
  const PinnedWheel* wheel = nullptr;
  Path folder;
  Path licence;
  bool was_there = false;
};

// Makes each runtime's folder in the cache, whole or not at all; what is there already is left alone. Needs the network and
// 600 MB of disk; all errors are of the environment.
Result<std::vector<FetchedRuntime>> fetch_runtimes(const FetchOptions& options);

}  // namespace fastvlm
