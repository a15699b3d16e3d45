#include "fastvlm/targets/qnn/run/htp_runner.h"

#include <unistd.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/compile/context_cache.h"
#include "fastvlm/targets/qnn/context/context_format.h"
#include "fastvlm/targets/qnn/context/context_wrapper.h"

namespace fastvlm::qnn {
namespace {

namespace fs = std::filesystem;
constexpr const char* kWrapper = "graph_ctx.onnx";

Result<std::string> emulation_key(const NpuRunnerRequest& r) {
  TRY_ASSIGN(std::string graph, sha256_of_file(r.graph));
  return sha256_of(fmt::format("emulation\n{}\n{}\n{}\n{}\n{}\n{}", kVersion, r.runtimes.onnxruntime_version, r.runtimes.qnn_version,
                               soc_of(*r.chip).soc_model, graph, r.weights_sha256));
}

QnnSessionRequest request_for(const NpuRunnerRequest& r, const Path& model, const Path& context) {
  return {.program = r.program,
          .runtimes = r.runtimes,
          .soc_model = soc_of(*r.chip).soc_model,
          .model = model,
          .context = context,
          .log_folder = r.log_folder};
}

// Whether another wrapper beside this one names the same binary.
Result<bool> shares_its_context(const Path& wrapper) {
  TRY_ASSIGN(const ContextWrapper own, read_context_wrapper(wrapper));
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(wrapper.parent_path(), failure)) {
    if (entry.path() == wrapper || !entry.path().string().ends_with(kContextWrapperEnd)) continue;
    const auto other = read_context_wrapper(entry.path());
    if (other.ok() && !own.context_file.empty() && other->context_file == own.context_file) return true;
  }
  return false;
}

Result<std::unique_ptr<RemoteRunner>> open_compiled(const NpuRunnerRequest& r) {
  std::error_code failure;
  const Path wrapper = r.graph.parent_path() / r.chip->name / (r.graph.stem().string() + kContextWrapperEnd);
  if (!fs::exists(wrapper, failure))
    return bad_input("{}: not compiled for {}; run compile with `targets` {} first", wrapper.string(), r.chip->name, r.chip->name);
  if (is_emulated()) {
    TRY_ASSIGN(const bool shared, shares_its_context(wrapper));
    if (shared)
      return bad_input(
          "{}: its context holds several graphs over one set of weights, which the emulation on x86 cannot open, only a device; make the "
          "bundle unshared to try it here",
          wrapper.string());
  }
  return open_in_child(request_for(r, wrapper, {}));
}

// A working folder in the cache that goes with this object.
struct WorkFolder {
  Path path;
  ~WorkFolder() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
};

}  // namespace

bool is_emulated() {
#if defined(__x86_64__)
  return true;
#else
  return false;
#endif
}

Result<std::unique_ptr<RemoteRunner>> open_htp_runner(const NpuRunnerRequest& r) {
  std::error_code failure;
  // What `bundle` made has contexts and no graphs.
  if (!is_emulated() || !fs::exists(r.graph, failure)) return open_compiled(r);
  if (r.cache_folder.empty()) return open_in_child(request_for(r, r.graph, {}));
  TRY_ASSIGN(std::string key, emulation_key(r));
  const Path contexts = r.cache_folder / "contexts";
  // A wrapper is opened where it lies: copying a context of a gigabyte would cost more than checking it.
  const ContextCache cache(contexts);
  if (auto entry = cache.find(key)) return open_in_child(request_for(r, *entry / kWrapper, {}));
  const WorkFolder work{contexts / fmt::format(".{}.work-{}", key, ::getpid())};
  fs::create_directories(work.path, failure);
  if (failure) return open_in_child(request_for(r, r.graph, {}));
  TRY_ASSIGN(auto runner, open_in_child(request_for(r, r.graph, work.path / kWrapper)));
  std::vector<std::string> files;
  for (const auto& entry : fs::directory_iterator(work.path, failure)) files.push_back(entry.path().filename().string());
  cache.keep(key, work.path, files, {{"graph", r.graph.filename().string()}});
  return runner;
}

}  // namespace fastvlm::qnn
