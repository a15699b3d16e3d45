#include "fastvlm/inspect/inspect.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/api/inspect.h"
#include "fastvlm/base/try.h"
#include "fastvlm/inspect/doctor.h"

namespace fastvlm::api {
namespace {

Result<Inspection> look(const InspectOptions& options) {
  TRY_ASSIGN(const InspectReport report, fastvlm::inspect({.path = options.path,
                                                           .tensors = options.tensors,
                                                           .hashes = options.hashes,
                                                           .program = program_of(options.runtimes),
                                                           .runtimes = search_of(options.runtimes)}));
  return Inspection{.kind = report.facts.value("kind", ""),
                    .facts = report.facts.dump(2, ' ', false, OrderedJson::error_handler_t::replace),
                    .problem = report.problem};
}

Result<std::vector<RuntimeHealth>> health(const Runtimes& runtimes) {
  TRY_ASSIGN(const DoctorReport report, run_doctor(search_of(runtimes), program_of(runtimes)));
  std::vector<RuntimeHealth> rows;
  for (const fastvlm::RuntimeHealth& row : report.runtimes)
    rows.push_back({.name = row.name, .path = row.path.string(), .version = row.version, .loads = row.loads, .note = row.note});
  return rows;
}

}  // namespace

Result<Inspection> inspect(const InspectOptions& options) {
  return without_exceptions<Inspection>([&] { return look(options); });
}

Result<std::vector<RuntimeHealth>> runtime_health(const Runtimes& runtimes) {
  return without_exceptions<std::vector<RuntimeHealth>>([&] { return health(runtimes); });
}

}  // namespace fastvlm::api
