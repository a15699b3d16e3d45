#include <fmt/format.h>

#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/inspect/doctor.h"
#include "fastvlm/process/process.h"
#include "fastvlm/run/fetch.h"

namespace fastvlm::cli {
namespace {

struct DoctorArguments {
  bool fetch = false;
};

void add_options(OptionTable& options, DoctorArguments& a, CommonArguments& common) {
  options.flag("--fetch", a.fetch, "Fetch the tested versions with pip into the cache folder (600 MB)");
  add_json(options, common);
  add_runtime_options(options, common);
}

Result<std::vector<FetchedRuntime>> fetch(const CommonArguments& common) {
  if (common.runtimes.cache_folder.empty())
    return bad_environment("there is no cache folder, because HOME is not set; name one with --cache");
  FetchOptions options{.cache_folder = common.runtimes.cache_folder};
  if (!common.quiet && !common.json) options.on_output_line = [](std::string_view line) { print_line(line); };
  return fetch_runtimes(options);
}

OrderedJson to_json(const std::vector<FetchedRuntime>& fetched) {
  OrderedJson rows = OrderedJson::array();
  for (const FetchedRuntime& runtime : fetched)
    rows.push_back({{"package", runtime.wheel->package},
                    {"version", runtime.wheel->version},
                    {"folder", runtime.folder.string()},
                    {"licence", runtime.licence.string()},
                    {"was_there", runtime.was_there}});
  return rows;
}

void print_fetched(const std::vector<FetchedRuntime>& fetched) {
  for (const FetchedRuntime& runtime : fetched)
    print_line(fmt::format("{} {}: {} in {}; its licence: {}", runtime.wheel->package, runtime.wheel->version,
                           runtime.was_there ? "was there" : "fetched", runtime.folder.string(), runtime.licence.string()));
  print_line("");
}

void print_report(const DoctorReport& report) {
  print_table({{"fastvlm-npu", kVersion},
               {"machine", fmt::format("{}, {} cores, {} of memory", report.machine, report.cores, human_bytes(report.memory_bytes))},
               {"glibc", report.glibc},
               {"cache folder", report.cache_folder.empty()
                                    ? "none"
                                    : fmt::format("{} ({} free)", report.cache_folder.string(), human_bytes(report.cache_free_bytes))}});
  for (const RuntimeHealth& health : report.runtimes) {
    print_line("");
    const std::string state = health.path.empty() ? "not found"
                              : health.loads      ? "loads"
                              : health.tried      ? "found, but does not load"
                                                  : "found, not tried";
    print_line(fmt::format("{}{}: {}", health.name, health.version.empty() ? "" : " " + health.version, state));
    if (!health.path.empty()) print_line("  " + health.path.string());
    if (!health.note.empty()) print_line("  " + health.note);
  }
  for (const NpuPart& part : report.npu_parts) {
    print_line("");
    print_line(fmt::format("NPU, {}: {}", part.name, part.path.empty() ? "not found" : part.path.string()));
    if (!part.note.empty()) print_line("  " + part.note);
  }
  if (!report.advice.empty()) print_line("");
  for (const std::string& advice : report.advice) print_line("note: " + advice);
  print_line("");
  if (report.complete() && !report.emulated)
    print_line(
        "Both runtimes load: export, verify and chat can run; compile runs on x86-64.\n"
        "Not tried: a graph on the NPU, which verify --runner htp does.");
  else if (report.complete())
    print_line(
        "Everything is there: export, compile, verify and chat can run.\n"
        "Not tried: a graph on the emulated NPU, which verify --runner htp does, and a device.");
  else
    print_line(
        "export, plan, inspect, check-ops, preprocess and tokenize run without any runtime; what is missing: fastvlm-npu doctor --fetch");
}

ExitCode run(const DoctorArguments& arguments, const CommonArguments& common) {
  std::vector<FetchedRuntime> fetched;
  if (arguments.fetch) {
    TRY_ASSIGN(fetched, fetch(common));
  }
  TRY_ASSIGN(DoctorReport report, run_doctor(common.runtimes, own_executable()));
  for (std::string& advice : report.advice) advice = with_flags(advice);
  for (RuntimeHealth& health : report.runtimes) health.note = with_flags(health.note);
  if (common.json) {
    OrderedJson json = fastvlm::to_json(report);
    json["version"] = kVersion;
    if (arguments.fetch) json["fetched"] = to_json(fetched);
    print_json(json);
    return 0;
  }
  if (arguments.fetch) print_fetched(fetched);
  print_report(report);
  return 0;
}

}  // namespace

Verb doctor_verb(CommonArguments& common) {
  return make_verb<DoctorArguments>(
      {.name = "doctor",
       .group = kToolsGroup,
       .summary = "Show which optional runtimes are found and load; fetch the missing ones",
       .details = "export needs no runtime. verify and chat need ONNX Runtime; compile needs its QNN plug-in as well.\n"
                  "Exit code 0 also when a runtime is missing, 4 when --fetch fails.",
       .examples = "  fastvlm-npu doctor\n"
                   "  fastvlm-npu doctor --fetch"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
