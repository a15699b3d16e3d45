#include "fastvlm/targets/qnn/compile/sdk_tools.h"

#include <fmt/format.h>

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/process/process.h"

namespace fastvlm::qnn {
namespace {

constexpr const char* kHost = "x86_64-linux-clang";

std::string joined(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ",")); }

Status run_tool(const SdkCommand& command, const Path& log) {
  TRY_ASSIGN(ProcessResult result, run_process({.program = command.program, .arguments = command.arguments, .log_file = log}));
  if (result.ok()) return {};
  return bad_environment("{} {}; its log is {}", command.program.filename().string(), describe(result), log.string());
}

}  // namespace

Result<SdkTools> find_sdk_tools(const Path& sdk) {
  const Path programs = sdk / "bin" / kHost, libraries = sdk / "lib" / kHost;
  SdkTools tools{.converter = programs / "qairt-converter",
                 .generator = programs / "qnn-context-binary-generator",
                 .backend = libraries / "libQnnHtp.so",
                 .model_library = libraries / "libQnnModelDlc.so",
                 .extensions = libraries / "libQnnHtpNetRunExtensions.so"};
  std::vector<std::string> missing;
  std::error_code ignored;
  for (const Path* path : {&tools.converter, &tools.generator, &tools.backend, &tools.model_library, &tools.extensions})
    if (!std::filesystem::exists(*path, ignored)) missing.push_back(path->lexically_relative(sdk).string());
  if (missing.empty()) return tools;
  return bad_environment("{}: not a QAIRT SDK for Linux x86-64; missing: {}", sdk.string(), fmt::join(missing, ", "));
}

SdkPlan sdk_plan(const SdkTools& tools, const CompileRequest& request, const CompileGroup& group, const Path& work) {
  SdkPlan plan;
  std::vector<std::string> containers;
  for (const std::string& graph : group.graphs) {
    const std::string container = (work / (graph + ".dlc")).string();
    plan.commands.push_back(
        {tools.converter,
         {"--input_network", (request.graph_folder / (graph + ".onnx")).string(), "--output_path", container, "--float_bitwidth", "16"}});
    containers.push_back(container);
  }
  plan.commands.push_back(
      {tools.generator,
       {"--backend", tools.backend.string(), "--model", tools.model_library.string(), "--dlc_path", joined(containers), "--binary_file",
        group.name, "--output_dir", request.output_folder.string(), "--config_file", (work / "generator.json").string()}});
  plan.generator_config =
      OrderedJson{
          {"backend_extensions", {{"shared_library_path", tools.extensions.string()}, {"config_file_path", (work / "htp.json").string()}}}}
          .dump(2);
  OrderedJson graph_options = {{"graph_names", group.graphs}, {"O", 3}};
  if (soc_of(*request.chip).vtcm_mib > 0) graph_options["vtcm_mb"] = soc_of(*request.chip).vtcm_mib;
  plan.htp_config =
      OrderedJson{{"graphs", OrderedJson::array({graph_options})},
                  {"devices", OrderedJson::array({{{"soc_model", soc_of(*request.chip).soc_model},
                                                   {"dsp_arch", fmt::format("v{}", soc_of(*request.chip).htp_arch)}}})},
                  {"context", {{"weight_sharing_enabled", soc_of(*request.chip).weight_sharing() && group.graphs.size() > 1}}}}
          .dump(2);
  return plan;
}

Result<std::vector<CompiledGroup>> compile_groups_with_sdk(const CompileRequest& request, Progress& progress) {
  TRY_ASSIGN(SdkTools tools, find_sdk_tools(request.sdk));
  progress.start(fmt::format("compiling for {} with the SDK", soc_of(*request.chip).name), request.groups.size());
  std::vector<CompiledGroup> compiled;
  for (const CompileGroup& group : request.groups) {
    const Path work = request.output_folder / ("." + group.name + ".work");
    std::error_code failure;
    std::filesystem::create_directories(work, failure);
    const SdkPlan plan = sdk_plan(tools, request, group, work);
    TRY(write_file_atomically(work / "generator.json", plan.generator_config));
    TRY(write_file_atomically(work / "htp.json", plan.htp_config));
    for (std::size_t i = 0; i < plan.commands.size(); ++i)
      TRY(run_tool(plan.commands[i], request.log_folder / fmt::format("fastvlm-npu-sdk-{}-{}.log", group.name, i)));
    const std::string binary = group.name + ".bin";
    const auto bytes = std::filesystem::file_size(request.output_folder / binary, failure);
    if (failure) return bad_environment("{}: the SDK's generator ended well but wrote no {}", request.sdk.string(), binary);
    std::filesystem::remove_all(work, failure);
    CompiledGroup result{.name = group.name, .binary = binary, .bytes = bytes};
    for (const std::string& graph : group.graphs) result.graphs.push_back({.name = graph});
    compiled.push_back(std::move(result));
    progress.advance(1);
  }
  return compiled;
}

}  // namespace fastvlm::qnn
