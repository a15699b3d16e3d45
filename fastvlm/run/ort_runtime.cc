#include "fastvlm/run/ort_runtime.h"

#include <dlfcn.h>
#include <onnxruntime_cxx_api.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kKeptLogBytes = std::size_t{1} << 20;

// Messages arrive from any thread of the library.
class Log {
 public:
  void add(std::string_view message) {
    std::lock_guard lock(mutex_);
    text_ += message;
    text_ += '\n';
    if (text_.size() > 2 * kKeptLogBytes) text_.erase(0, text_.size() - kKeptLogBytes);
  }
  std::string take() {
    std::lock_guard lock(mutex_);
    if (text_.size() > kKeptLogBytes) text_.erase(0, text_.size() - kKeptLogBytes);
    return std::exchange(text_, {});
  }

 private:
  std::mutex mutex_;
  std::string text_;
};

// Of the detailed messages only those are kept that tell which node a plug-in refuses, and why: "Validation FAILED for 1
// nodes …: Operator type: Concat Node name: joined Node index: 0 REASON : Cannot get shape".
bool is_kept(OrtLoggingLevel level, std::string_view message) {
  return level >= ORT_LOGGING_LEVEL_WARNING || message.find("Validation FAILED") != message.npos;
}

void ORT_API_CALL log_message(void* log, OrtLoggingLevel level, const char*, const char*, const char*, const char* message) {
  if (is_kept(level, message)) static_cast<Log*>(log)->add(message);
}

// The library that this process has loaded, if any. It is never unloaded: its threads and those of its plug-ins may outlive
// every object of ours.
struct Loaded {
  Path library;
  std::string version;
};

Result<Loaded> load_library(const Path& library) {
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* why = ::dlerror();
    return bad_environment("cannot load ONNX Runtime ({})", why != nullptr ? why : library.c_str());
  }
  using GetApiBase = const OrtApiBase*();
  auto get_api_base = reinterpret_cast<GetApiBase*>(::dlsym(handle, "OrtGetApiBase"));
  if (get_api_base == nullptr) {
    ::dlclose(handle);
    return bad_environment("{}: not a library of ONNX Runtime", library.string());
  }
  const OrtApiBase* base = get_api_base();
  std::string version = base->GetVersionString();
  // The library prints a line of its own when it is asked for an interface that it does not have: ask the number first.
  int major = 0, minor = 0;
  if (std::sscanf(version.c_str(), "%d.%d", &major, &minor) != 2 || (major == 1 && minor < ORT_API_VERSION))
    return bad_environment("{}: ONNX Runtime {} is too old, 1.{} or newer is needed", library.string(), version, ORT_API_VERSION);
  const OrtApi* api = base->GetApi(ORT_API_VERSION);
  if (api == nullptr) return bad_environment("{}: ONNX Runtime {} does not offer interface {}", library.string(), version, ORT_API_VERSION);
  Ort::InitApi(api);
  return Loaded{library, version};
}

// Builds of the library with telemetry begin a log where temporary files go, one for each process, and leave it empty.
void remove_empty_log() {
  std::error_code ignored;
  const Path log = std::filesystem::temp_directory_path(ignored) / fmt::format("mat-debug-{}.log", ::getpid());
  if (std::filesystem::is_empty(log, ignored)) std::filesystem::remove(log, ignored);
}

}  // namespace

struct OrtRuntime::State {
  Loaded loaded;
  Log log;  // outlives env, which writes to it
  Ort::Env env{nullptr};
  std::mutex mutex;
  std::set<std::string> providers;
};

OrtRuntime::OrtRuntime(std::unique_ptr<State> state) : state_(std::move(state)) {}

OrtRuntime::~OrtRuntime() {
  for (const std::string& name : state_->providers) {
    try {
      state_->env.UnregisterExecutionProviderLibrary(name.c_str());
    } catch (const Ort::Exception&) {
      // Nothing to be done about it while leaving.
    }
  }
}

Result<std::shared_ptr<OrtRuntime>> OrtRuntime::load(const Path& library) {
  static std::mutex mutex;
  static Loaded loaded;
  static std::weak_ptr<OrtRuntime> alive;

  std::lock_guard lock(mutex);
  std::error_code not_there;
  const Path real = std::filesystem::canonical(library, not_there);
  if (not_there) return bad_environment("{}: there is no such file; name the library of ONNX Runtime", library.string());
  if (loaded.library.empty()) {
    TRY_ASSIGN(loaded, load_library(real));
  } else if (loaded.library != real) {
    return bad_environment("{}: this process uses {} already", library.string(), loaded.library.string());
  }
  if (auto runtime = alive.lock()) return runtime;
  auto state = std::make_unique<State>();
  state->loaded = loaded;
  try {
    state->env = Ort::Env(ORT_LOGGING_LEVEL_WARNING, "fastvlm", log_message, &state->log);
    remove_empty_log();
    state->env.DisableTelemetryEvents();
  } catch (const Ort::Exception& failure) {
    return bad_environment("{}: {}", library.string(), failure.what());
  }
  std::shared_ptr<OrtRuntime> runtime(new OrtRuntime(std::move(state)));
  alive = runtime;
  return runtime;
}

const Path& OrtRuntime::library() const { return state_->loaded.library; }
const std::string& OrtRuntime::version() const { return state_->loaded.version; }
std::string OrtRuntime::take_log() { return state_->log.take(); }
OrtEnv* OrtRuntime::environment() const { return state_->env; }

Status OrtRuntime::register_provider(const std::string& name, const Path& plugin) {
  std::lock_guard lock(state_->mutex);
  if (state_->providers.contains(name)) return {};
  try {
    state_->env.RegisterExecutionProviderLibrary(name.c_str(), plugin.string());
  } catch (const Ort::Exception& failure) {
    return bad_environment("{}: ONNX Runtime {} cannot load this plug-in ({})", plugin.string(), version(), failure.what());
  }
  state_->providers.insert(name);
  return {};
}

}  // namespace fastvlm
