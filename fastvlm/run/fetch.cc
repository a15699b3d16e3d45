#include "fastvlm/run/fetch.h"

#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <system_error>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/process/process.h"

namespace fastvlm {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kNeededBytes = std::uint64_t{600} << 20;

std::string wheel_name(const PinnedWheel& wheel) { return fmt::format("{} {}", wheel.package, wheel.version); }

Status move_to(const Path& from, const Path& to) {
  std::error_code failure;
  fs::create_directories(to.parent_path(), failure);
  fs::rename(from, to, failure);
  if (failure) return bad_environment("{}: cannot move it to {} ({})", from.string(), to.string(), failure.message());
  return {};
}

Status run_python(const FetchOptions& options, std::string_view task, std::vector<std::string> arguments) {
  TRY_ASSIGN(ProcessResult result, run_process({.program = options.python,
                                                .arguments = std::move(arguments),
                                                .environment = {{"PIP_DISABLE_PIP_VERSION_CHECK", "1"}},
                                                .on_output_line = options.on_output_line}));
  if (!result.ok()) return bad_environment("{}: {} {}", task, options.python.string(), describe(result));
  return {};
}

// The one wheel that pip put into the folder. The interpreter asked for does not matter: only shared libraries are used.
Result<Path> download(const FetchOptions& options, const PinnedWheel& wheel, const Path& folder) {
  const Path requirements = folder / "requirements.txt";
  TRY(write_file_atomically(requirements, fmt::format("{}=={} --hash=sha256:{}\n", wheel.package, wheel.version, wheel.sha256)));
  TRY(run_python(options, fmt::format("downloading {}", wheel_name(wheel)),
                 {"-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--require-hashes", "--progress-bar=off",
                  "--implementation=cp", "--python-version=3.11", "--abi=cp311", fmt::format("--platform={}", wheel.platform), "--dest",
                  folder.string(), "--requirement", requirements.string()}));
  std::error_code failure;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, failure))
    if (entry.path().extension() == ".whl") return entry.path();
  return bad_environment("downloading {}: pip left no wheel in {}", wheel_name(wheel), folder.string());
}

// Keeps what is used of the unpacked wheel `from`, laid out as the runtime's folder `to`.
Status arrange(const PinnedWheel& wheel, const Path& from, const Path& to) {
  if (wheel.kind == RuntimeKind::kOnnxRuntime) {
    const Path library(wheel.library);
    TRY(move_to(from / "onnxruntime/capi" / library.filename(), to / library));
    TRY(move_to(from / "onnxruntime/LICENSE", to / "LICENSE"));
    return move_to(from / "onnxruntime/ThirdPartyNotices.txt", to / "ThirdPartyNotices.txt");
  }
  TRY(move_to(from / "onnxruntime_qnn", to / "onnxruntime_qnn"));
  // The C++ library beside it, which its libraries find by a relative path; not every build has one.
  if (fs::exists(from / "onnxruntime_qnn.libs")) TRY(move_to(from / "onnxruntime_qnn.libs", to / "onnxruntime_qnn.libs"));
  return {};
}

bool is_complete(const Path& folder, const PinnedWheel& wheel) {
  std::error_code ignored;
  return fs::is_regular_file(folder / wheel.library, ignored);
}

Status fetch(const FetchOptions& options, const PinnedWheel& wheel, const Path& folder) {
  TRY_ASSIGN(TemporaryFolder temporary, TemporaryFolder::create_in(options.cache_folder));
  TRY(check_free_space(options.cache_folder, kNeededBytes, "fetching the runtimes"));
  TRY_ASSIGN(Path file, download(options, wheel, temporary.path()));
  const Path unpacked = temporary.path() / "unpacked";
  TRY(run_python(options, fmt::format("unpacking {}", wheel_name(wheel)), {"-m", "zipfile", "-e", file.string(), unpacked.string()}));
  const Path arranged = temporary.path() / "arranged";
  TRY(arrange(wheel, unpacked, arranged));
  if (!is_complete(arranged, wheel)) return bad_environment("{}: {} is not in the package", wheel_name(wheel), wheel.library);
  std::error_code failure;
  fs::rename(arranged, folder, failure);
  // Another process may have been faster; its folder is as good.
  if (failure && !is_complete(folder, wheel))
    return bad_environment("{}: cannot move the runtime there ({})", folder.string(), failure.message());
  return {};
}

}  // namespace

const PinnedWheel* pinned_wheel(RuntimeKind kind) {
  utsname machine{};
  ::uname(&machine);
  auto row = std::find_if(kPinnedWheels.begin(), kPinnedWheels.end(),
                          [&](const PinnedWheel& wheel) { return wheel.kind == kind && wheel.machine == machine.machine; });
  return row == kPinnedWheels.end() ? nullptr : &*row;
}

Path runtime_folder(const Path& cache_folder, const PinnedWheel& wheel) {
  // The first machine there was has no name in its folders.
  if (wheel.machine == "x86_64") return cache_folder / fmt::format("{}-{}", wheel.package, wheel.version);
  return cache_folder / fmt::format("{}-{}-{}", wheel.package, wheel.version, wheel.machine);
}

Result<std::vector<FetchedRuntime>> fetch_runtimes(const FetchOptions& options) {
  std::vector<FetchedRuntime> fetched;
  for (RuntimeKind kind : options.kinds) {
    const PinnedWheel* wheel = pinned_wheel(kind);
    if (wheel == nullptr)
      return bad_environment("there is no pinned runtime for this kind of machine; use `onnxruntime_library` and `qnn_plugin`");
    const Path folder = runtime_folder(options.cache_folder, *wheel);
    const bool was_there = is_complete(folder, *wheel);
    if (!was_there) TRY(fetch(options, *wheel, folder));
    fetched.push_back({.wheel = wheel, .folder = folder, .licence = folder / wheel->licence, .was_there = was_there});
  }
  return fetched;
}

}  // namespace fastvlm
