#include "fastvlm/inspect/doctor.h"

#include <gnu/libc-version.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <thread>

#include "fastvlm/base/try.h"
#include "fastvlm/run/fetch.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm {
namespace {

constexpr double kTimeoutSeconds = 60;

// The one whose plug-in is among the runtimes that we know.
const Target& target() { return *known_targets().front(); }

std::string machine_name() {
  utsname names{};
  if (::uname(&names) != 0) return "unknown";
  return fmt::format("{} {} {}", names.sysname, names.release, names.machine);
}

// Fills tried, loads, note and, where the runtime tells it, version.
Status try_to_load(const Path& program, const RuntimePaths& paths, bool with_plugin, RuntimeHealth& health) {
  health.tried = true;
  auto version = target().try_to_load(program, paths, with_plugin, {.seconds = kTimeoutSeconds});
  if (!version.ok() && version.error().kind == ErrorKind::kInterrupted) return std::move(version).error();
  health.loads = version.ok();
  if (!version.ok()) health.note = version.error().message;
  if (version.ok() && !with_plugin) health.version = *std::move(version);
  return {};
}

// "manylinux_2_35_x86_64" asks for glibc 2.35.
void advise_on_glibc(const std::string& glibc, std::vector<std::string>& advice) {
  int have_major = 0, have_minor = 0;
  if (std::sscanf(glibc.c_str(), "%d.%d", &have_major, &have_minor) != 2) return;
  for (RuntimeKind kind : {RuntimeKind::kOnnxRuntime, RuntimeKind::kQnn}) {
    const PinnedWheel* wheel = pinned_wheel(kind);
    int major = 0, minor = 0;
    if (wheel == nullptr) {
      advice.push_back("doctor --fetch knows no runtimes for this machine; name your own with `onnxruntime_library` and `qnn_plugin`");
      return;
    }
    if (std::sscanf(std::string(wheel->platform).c_str(), "manylinux_%d_%d", &major, &minor) != 2) continue;
    if (std::pair(have_major, have_minor) < std::pair(major, minor))
      advice.push_back(fmt::format("{} {} needs glibc {}.{}, this system has {}", wheel->package, wheel->version, major, minor, glibc));
  }
}

}  // namespace

bool DoctorReport::complete() const {
  return std::all_of(runtimes.begin(), runtimes.end(), [](const RuntimeHealth& health) { return health.loads; });
}

Result<DoctorReport> run_doctor(const RuntimeSearch& search, const Path& program) {
  TRY_ASSIGN(RuntimePaths paths, find_runtimes(search));
  DoctorReport report{
      .machine = machine_name(),
      .glibc = ::gnu_get_libc_version(),
      .cores = std::thread::hardware_concurrency(),
      .memory_bytes = static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE)),
      .cache_folder = search.cache_folder,
      .emulated = target().is_emulated()};
  if (!report.emulated) report.npu_parts = find_npu_parts("/");
  if (!search.cache_folder.empty()) {
    auto free = free_bytes(search.cache_folder);
    report.cache_free_bytes = free.ok() ? *free : 0;
  } else {
    report.advice.push_back("no cache folder: HOME and XDG_CACHE_HOME are not set; name one with `cache_folder`");
  }
  RuntimeHealth onnxruntime{
      .name = "ONNX Runtime", .path = paths.onnxruntime_library, .version = paths.onnxruntime_version, .note = paths.onnxruntime_missing};
  RuntimeHealth plugin{.name = "QNN plug-in", .path = paths.qnn_plugin, .version = paths.qnn_version, .note = paths.qnn_missing};
  if (!onnxruntime.path.empty()) TRY(try_to_load(program, paths, /*with_plugin=*/false, onnxruntime));
  if (!plugin.path.empty() && onnxruntime.loads) TRY(try_to_load(program, paths, /*with_plugin=*/true, plugin));
  if (!plugin.path.empty() && !onnxruntime.loads) plugin.note = "was not tried, because it needs ONNX Runtime";
  report.runtimes = {std::move(onnxruntime), std::move(plugin)};
  advise_on_glibc(report.glibc, report.advice);
  return report;
}

OrderedJson to_json(const DoctorReport& report) {
  OrderedJson runtimes = OrderedJson::array();
  for (const RuntimeHealth& health : report.runtimes)
    runtimes.push_back({{"name", health.name},
                        {"found", !health.path.empty()},
                        {"path", health.path.string()},
                        {"version", health.version},
                        {"tried", health.tried},
                        {"loads", health.loads},
                        {"note", health.note}});
  OrderedJson parts = OrderedJson::array();
  for (const NpuPart& part : report.npu_parts)
    parts.push_back({{"name", part.name}, {"found", !part.path.empty()}, {"path", part.path.string()}, {"note", part.note}});
  return {{"machine", report.machine},
          {"glibc", report.glibc},
          {"cores", report.cores},
          {"memory_bytes", report.memory_bytes},
          {"cache_folder", report.cache_folder.string()},
          {"cache_free_bytes", report.cache_free_bytes},
          {"runtimes", runtimes},
          {"complete", report.complete()},
          {"emulated", report.emulated},
          {"npu_parts", parts},
          {"advice", report.advice}};
}

}  // namespace fastvlm
