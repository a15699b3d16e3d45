// consumer CHECKPOINT OUTPUT PICTURE: every function of the public library that needs no runtime, with what must come of it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <stop_token>
#include <string>

#include "fastvlm/api/compile.h"
#include "fastvlm/api/export.h"
#include "fastvlm/api/inspect.h"
#include "fastvlm/api/preprocess.h"
#include "fastvlm/api/tokenize.h"
#include "fastvlm/api/work.h"
#include "fastvlm/base/version.h"

namespace {

int failures = 0;

void expect(bool good, const char* what) {
  std::printf("%s: %s\n", good ? "ok" : "FAILED", what);
  if (!good) ++failures;
}

template <class T>
bool went_well(const fastvlm::Result<T>& result) {
  if (!result.ok()) std::printf("%s\n", result.error().message.c_str());
  return result.ok();
}

void export_and_stop(const std::string& checkpoint, const std::string& output) {
  using namespace fastvlm::api;
  std::stop_source stop;
  const Work work{.on_progress = [&](const ProgressStep&) { stop.request_stop(); }, .stop = stop.get_token()};
  const auto stopped = export_checkpoint({.model_dir = checkpoint, .output_dir = output + "-stopped"}, work);
  expect(!stopped.ok() && stopped.error().kind == fastvlm::ErrorKind::kInterrupted, "a stop ends the export");
  expect(!std::filesystem::exists(output + "-stopped"), "a stopped export leaves nothing");
  expect(went_well(plan_export({.model_dir = checkpoint, .output_dir = output + "-stopped"})), "the next call is not stopped");
}

void export_and_look(const std::string& checkpoint, const std::string& output) {
  using namespace fastvlm::api;
  const ExportOptions options{.model_dir = checkpoint, .output_dir = output, .force = true};
  const auto plan = plan_export(options);
  std::uint64_t heard = 0;
  const Work work{.on_progress = [&](const ProgressStep&) { ++heard; }, .threads = 2};
  const auto report = export_checkpoint(options, work);
  expect(went_well(plan) && went_well(report), "plan and export");
  if (!plan.ok() || !report.ok()) return;
  expect(heard > 0, "progress is heard");
  expect(std::ranges::all_of(report->files,
                             [&](const ExportedFile& file) {
                               return std::ranges::any_of(
                                   plan->files, [&](const PlannedFile& p) { return p.name == file.name && p.bytes == file.bytes; });
                             }),
         "every file has its planned size");
  const auto looked = inspect({.path = output});
  expect(went_well(looked) && looked->kind == "output folder" && !looked->problem, "inspect knows the output folder");
}

}  // namespace

int main(int argc, char** argv) {
  using namespace fastvlm::api;
  if (argc != 4) return 2;
  std::printf("fastvlm %s\n", fastvlm::kVersion);
  export_and_look(argv[1], argv[2]);
  export_and_stop(argv[1], argv[2]);
  const auto pixels = pixel_values({.image = argv[3], .image_size = 64});
  expect(went_well(pixels) && pixels->size() == 3 * 64 * 64, "preprocess gives [3, 64, 64]");
  const auto tokenizer = Tokenizer::load(argv[1]);
  expect(went_well(tokenizer) && tokenizer->decode(tokenizer->encode("a picture")) == "a picture", "tokenize goes there and back");
  const auto missing = export_checkpoint({.model_dir = "/nowhere", .output_dir = std::string(argv[2]) + "-of-nothing"});
  expect(!missing.ok() && missing.error().kind == fastvlm::ErrorKind::kBadInput, "a missing folder is an Error");
  const auto unknown = compile_contexts({.output_dir = argv[2], .targets = {"sm1"}});
  expect(!unknown.ok() && unknown.error().kind == fastvlm::ErrorKind::kUsage, "an unknown chip is an Error");
  return failures == 0 ? 0 : 1;
}
