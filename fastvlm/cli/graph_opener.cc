#include "fastvlm/cli/graph_opener.h"

#include <fmt/format.h>

#include <cstdio>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/process/process.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/targets/qnn/compile/compile.h"
#include "fastvlm/targets/qnn/run/htp_runner.h"

namespace fastvlm::cli {
namespace {

Result<OpenGraph> cpu_opener(const GraphOpenerRequest& request, const CommonArguments& common) {
  TRY_ASSIGN(const RuntimePaths paths, require_runtimes(common.runtimes, /*with_qnn=*/false));
  TRY_ASSIGN(std::shared_ptr<OrtRuntime> runtime, OrtRuntime::load(paths.onnxruntime_library));
  const OrtRunnerOptions options{.threads = static_cast<int>(common.threads), .disable_prepacking = request.share_weights};
  return OpenGraph([runtime, options](const Path& model) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(std::unique_ptr<Runner> runner, OrtRunner::open(runtime, model, options));
    return runner;
  });
}

// One name for all weights of the static graphs, from the manifest: reading gigabytes again would take longer.
Result<std::string> npu_weights_hash(const Path& folder) {
  TRY_ASSIGN(const Json manifest, read_manifest(folder));
  TRY_ASSIGN(const auto files, manifest_files(manifest, folder));
  std::string hashes;
  for (const auto& [name, file] : files)
    if (name.starts_with("npu/") && name.ends_with(".data")) hashes += file.sha256;
  return sha256_of(hashes);
}

Result<OpenGraph> htp_opener(const GraphOpenerRequest& request, const CommonArguments& common) {
  TRY_ASSIGN(const qnn::Soc* soc, qnn::find_soc(request.target));
  TRY_ASSIGN(const RuntimePaths paths, require_runtimes(common.runtimes, /*with_qnn=*/true));
  TRY_ASSIGN(const std::string weights, npu_weights_hash(request.output_dir));
  const qnn::HtpRunnerRequest base{.program = own_executable(),
                                   .runtimes = paths,
                                   .soc = soc,
                                   .weights_sha256 = weights,
                                   .cache_folder = common.runtimes.cache_folder,
                                   .log_folder = std::filesystem::temp_directory_path()};
  return OpenGraph([base, quiet = common.quiet || common.json](const Path& model) -> Result<std::unique_ptr<Runner>> {
    qnn::HtpRunnerRequest one = base;
    one.graph = model;
    one.wrapper = model.parent_path() / one.soc->name / (model.stem().string() + qnn::kContextWrapperEnd);
    // Compiling a real model takes minutes.
    if (!quiet) fmt::print(stderr, "opening {} for {}\n", model.stem().string(), one.soc->name);
    TRY_ASSIGN(std::unique_ptr<Runner> runner, qnn::open_htp_runner(one));
    return runner;
  });
}

}  // namespace

Result<OpenGraph> graph_opener(const GraphOpenerRequest& request, const CommonArguments& common) {
  return request.runner == "htp" ? htp_opener(request, common) : cpu_opener(request, common);
}

}  // namespace fastvlm::cli
