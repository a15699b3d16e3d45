#include "fastvlm/inspect/npu_parts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <span>
#include <string_view>

namespace fastvlm {
namespace {

constexpr std::string_view kLibrary = "libcdsprpc.so";
constexpr std::array<std::string_view, 6> kLibraryFolders = {
    "usr/lib/aarch64-linux-gnu", "usr/lib64", "usr/lib", "usr/local/lib", "vendor/lib64", "lib"};
// The names of the FastRPC driver: mainline Linux first, then Qualcomm's own kernels.
constexpr std::array<std::string_view, 4> kNodes = {"dev/fastrpc-cdsp", "dev/fastrpc-cdsp-secure", "dev/adsprpc-smd",
                                                    "dev/adsprpc-smd-secure"};

Path first_that_exists(const Path& root, std::span<const std::string_view> names, std::string_view end = {}) {
  std::error_code ignored;
  for (std::string_view name : names) {
    const Path path = end.empty() ? root / name : root / name / end;
    if (std::filesystem::exists(path, ignored)) return path;
  }
  return {};
}

// Distributions put only the numbered name there: libcdsprpc.so.1.
Path library_below(const Path& root) {
  if (Path path = first_that_exists(root, kLibraryFolders, kLibrary); !path.empty()) return path;
  return first_that_exists(root, kLibraryFolders, fmt::format("{}.1", kLibrary));
}

}  // namespace

std::vector<NpuPart> find_npu_parts(const Path& root) {
  NpuPart library{.name = std::string(kLibrary), .path = library_below(root)};
  if (library.path.empty())
    library.note = "install the system's FastRPC library (a package called fastrpc, libfastrpc1 or qcom-fastrpc1)";
  else if (library.path.filename() != kLibrary)
    library.note = fmt::format("Qualcomm's libraries ask for {}; make it a link to this file", kLibrary);
  NpuPart node{.name = "device node", .path = first_that_exists(root, kNodes)};
  if (node.path.empty())
    node.note = "the kernel offers no /dev/fastrpc-cdsp: its fastrpc driver, the firmware of the NPU or the machine's own NPU is missing";
  else if (::access(node.path.c_str(), R_OK | W_OK) != 0)
    node.note = "this user may not open it; join the group that owns it";
  return {std::move(library), std::move(node)};
}

}  // namespace fastvlm
