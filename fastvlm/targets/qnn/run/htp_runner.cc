#include "fastvlm/targets/qnn/run/htp_runner.h"

#include <unistd.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/targets/qnn/chips/soc_table.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/compile/context_cache.h"

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
  if (auto why = refuses(soc_of(*r.chip), Precision::kFloat16)) return bad_usage("target {}", *why);
  std::error_code failure;
  if (!is_emulated()) {
    const Path wrapper = r.graph.parent_path() / r.chip->name / (r.graph.stem().string() + kContextWrapperEnd);
    if (!fs::exists(wrapper, failure))
      return bad_input("{}: not compiled for {}; run compile with `targets` {} first", wrapper.string(), r.chip->name, r.chip->name);
    return open_in_child(request_for(r, wrapper, {}));
  }
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
