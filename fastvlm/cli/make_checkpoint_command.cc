#include <fmt/format.h>

#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/synthetic/make_checkpoint.h"

namespace fastvlm::cli {

int make_checkpoint_command(const MakeCheckpointArguments& arguments, const CommonArguments& common) {
  const auto size = checkpoint_size_from(arguments.size);
  const auto dialect = checkpoint_dialect_from(arguments.dialect);
  if (!size) return print_error(bad_usage("--size {}: must be tiny, 0.5b, 1.5b or 7b", arguments.size));
  if (!dialect) return print_error(bad_usage("--dialect {}: must be apple or hf", arguments.dialect));
  auto progress = make_progress(common.quiet || common.json);
  auto report = make_checkpoint(
      {.size = *size, .dialect = *dialect, .output_dir = arguments.output_dir, .seed = arguments.seed, .force = arguments.force},
      *progress);
  if (!report) return print_error(report.error());
  if (common.json) {
    print_json({{"output_dir", arguments.output_dir.string()},
                {"size", arguments.size},
                {"dialect", arguments.dialect},
                {"seed", arguments.seed},
                {"files", report->files},
                {"bytes", report->bytes},
                {"tensors", report->tensors},
                {"parameters", report->parameters}});
    return 0;
  }
  print_line(fmt::format("{}: {} files, {}, {} tensors with {} parameters", arguments.output_dir.string(), report->files,
                         human_bytes(report->bytes), report->tensors, grouped(report->parameters)));
  return 0;
}

}  // namespace fastvlm::cli
