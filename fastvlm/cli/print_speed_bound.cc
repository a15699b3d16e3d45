#include "fastvlm/cli/print_speed_bound.h"

#include <fmt/format.h>

#include "fastvlm/cli/print.h"

namespace fastvlm::cli {
namespace {

constexpr const char* kNotKnown = "not known";

// Why a run has no bound: where its memory is known, nothing but that all of it may stay on the chip.
struct NoBound {
  const char* least;
  const char* most;
};
NoBound no_bound(const OrderedJson& bound) {
  if (bound["memory_bytes_per_second"].is_null()) return {kNotKnown, kNotKnown};
  return {"none: its weights may stay on the chip", "no bound"};
}

std::string time_text(double seconds) {
  return seconds >= 1      ? fmt::format("{:.3g} s", seconds)
         : seconds >= 1e-3 ? fmt::format("{:.3g} ms", seconds * 1e3)
                           : fmt::format("{:.3g} us", seconds * 1e6);
}

std::string peaks_of(const OrderedJson& bound) {
  const auto &memory = bound["memory_bytes_per_second"], &macs = bound["macs_per_second"];
  if (memory.is_null() && macs.is_null()) return "no figure of its memory or NPU is known to be published";
  std::string text;
  if (!memory.is_null()) text = fmt::format("memory at {:.4g} GB/s", memory.get<double>() / 1e9);
  if (!macs.is_null()) text += fmt::format("{}NPU at {:.4g} TMAC/s", text.empty() ? "" : ", ", macs.get<double>() / 1e12);
  return fmt::format("{}; {}", text, bound["source"].get<std::string>());
}

}  // namespace

void print_speed_bound(const OrderedJson& bound) {
  if (bound["runs"].empty()) return;
  print_line(fmt::format("\nbound on the speed on {}, from published peaks, nothing measured\n({})", bound["target"].get<std::string>(),
                         peaks_of(bound)));
  Rows rows = {{"run", "weights read", "spilled", "GMACs", "takes at least", "at most"}};
  for (const OrderedJson& run : bound["runs"]) {
    const bool known = !run["least_seconds"].is_null();
    const NoBound none = no_bound(bound);
    rows.push_back({run["run"].get<std::string>(), human_bytes(run["weight_bytes"].get<std::uint64_t>()),
                    run["spill_fill_bytes"] == 0 ? "-" : human_bytes(run["spill_fill_bytes"].get<std::uint64_t>()),
                    run["macs"].is_null() ? "-" : fmt::format("{:.2f}", run["macs"].get<double>() / 1e9),
                    known ? time_text(run["least_seconds"].get<double>()) : none.least,
                    known ? fmt::format("{:.4g} {}/s", run["most_per_second"].get<double>(), run["unit"].get<std::string>()) : none.most});
  }
  print_table(rows);
}

}  // namespace fastvlm::cli
