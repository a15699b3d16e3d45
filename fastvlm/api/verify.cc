#include "fastvlm/verify/verify.h"

#include "fastvlm/api/bridge.h"
#include "fastvlm/api/verify.h"
#include "fastvlm/base/try.h"
#include "fastvlm/compile/graph_opener.h"

namespace fastvlm::api {
namespace {

Outcome outcome_of(fastvlm::Outcome outcome) {
  switch (outcome) {
    case fastvlm::Outcome::kPassed: return Outcome::kPassed;
    case fastvlm::Outcome::kMissed: return Outcome::kMissed;
    case fastvlm::Outcome::kNotCompared: break;
  }
  return Outcome::kNotCompared;
}

Result<VerifyReport> check(const VerifyOptions& options, const Work& work) {
  fastvlm::VerifyOptions own{.output_dir = options.output_dir, .chip = options.chip, .recipe = options.recipe};
  if (!options.model_dir.empty()) own.model_dir = options.model_dir;
  if (!options.reference.empty()) own.reference = options.reference;
  GraphOpenerOptions where = opener_of(options.output_dir, options.runtimes, work.threads);
  TRY_ASSIGN(own.open_cpu, graph_opener(where));
  if (!options.chip.empty()) {
    where.chip = options.chip;
    TRY_ASSIGN(own.open_npu, graph_opener(where));
  }
  const StopScope stop(work.stop);
  Progress progress(listener_of(work));
  TRY_ASSIGN(const auto found, fastvlm::verify(own, progress));
  VerifyReport report{.rows = {}, .passed = found.passed()};
  for (const fastvlm::VerifyRow& row : found.rows)
    report.rows.push_back({.check = row.check, .subject = row.subject, .outcome = outcome_of(row.outcome), .sentence = row.sentence});
  return report;
}

}  // namespace

Result<VerifyReport> verify(const VerifyOptions& options) { return verify(options, {}); }

Result<VerifyReport> verify(const VerifyOptions& options, const Work& work) {
  return without_exceptions<VerifyReport>([&] { return check(options, work); });
}

}  // namespace fastvlm::api
