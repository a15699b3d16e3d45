#include "fastvlm/process/worker_program.h"

#include "fastvlm/process/process.h"

namespace fastvlm {
namespace {

constexpr const char* kProgramName = "fastvlm-npu";

Path& chosen() {
  static Path path;
  return path;
}

}  // namespace

Path worker_program() {
  if (!chosen().empty()) return chosen();
  const Path beside = own_executable().parent_path() / kProgramName;
  std::error_code ignored;
  return std::filesystem::exists(beside, ignored) ? beside : Path(kProgramName);
}

void set_worker_program(Path program) { chosen() = std::move(program); }

}  // namespace fastvlm
