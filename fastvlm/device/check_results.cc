#include "fastvlm/device/check_results.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/tensor/convert.h"
#include "fastvlm/verify/choices.h"

namespace fastvlm::device {
namespace {

constexpr const char* kCheck = "device";
constexpr const char* kAgainst = "device against CPU";
constexpr double kMaxDivergence = 0.05;  // nats; a logits SNR at its gate leaves a tenth of it

bool is_there(const Path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

// Rounding takes 3 dB from one layer to the next at most, a wrong one takes 14 and more (trained checkpoint,
// device/emulated_bundle_test.cc).
constexpr double kFallDb = 10;

// The layer in "past_key_12_out" or "model.layers.12", for a sentence.
std::string layer_in_words(const std::string& value) {
  for (const std::string_view begin : {"past_key_", "past_value_", "model.layers."}) {
    if (!value.starts_with(begin)) continue;
    const std::string rest = value.substr(begin.size());
    return " of layer " + rest.substr(0, rest.find_first_not_of("0123456789"));
  }
  return "";
}

class Comparison {
 public:
  Comparison(const ResultsCheck& check, VerifyReport& report) : c_(check), report_(report) {
    if (auto manifest = read_manifest(check.bundle); manifest.ok()) graphs_ = std::move(manifest->graphs);
  }

  Status run(const SelfTest& test) {
    for (const GraphRun& run : test.runs) TRY(compare_run(run));
    for (const PictureAnswer& answer : test.answers) TRY(compare_answer(answer));
    bool departed = false;
    for (const GraphRun& run : test.probes) {
      if (departed) continue;  // what comes behind a wrong tensor is wrong because of it
      TRY_ASSIGN(departed, compare_probes(run));
    }
    return {};
  }

 private:
  // Of a graph of the bundle, with or without probes.
  NpuGates gates_of_graph(std::string graph) const {
    if (constexpr std::string_view end = kProbedEnd; graph.ends_with(end)) graph.resize(graph.size() - end.size());
    const auto entry = std::ranges::find(graphs_, graph, &GraphEntry::name);
    return entry == graphs_.end() ? c_.gates : gates_of(entry->activations, c_.gates);
  }
  static Gate gate_of(const std::string& output, const NpuGates& gates) {
    return output == "image_features" ? gates.features : is_cache(output) ? gates.cache : gates.logits;
  }
  // Of an answer, which goes through all graphs of these roles.
  Gate loosest_gate(bool with_decoders, Gate NpuGates::* gate) const {
    Gate loosest = c_.gates.*gate;
    for (const GraphEntry& graph : graphs_)
      if (graph.npu() && (with_decoders || graph.role == GraphRole::kVision))
        if (const Gate own = gates_of(graph.activations, c_.gates).*gate; own.min_snr_db < loosest.min_snr_db) loosest = own;
    return loosest;
  }

  // Nothing where the device wrote none or something of another size, which is then a row.
  std::optional<Tensor> result_of(const std::string& run, const StoredTensor& expected) {
    const Path file = c_.results / run / (expected.name + ".raw");
    const std::string subject = run + "/" + expected.name;
    if (!is_there(file)) {
      report_.skip(kCheck, subject, "not compared: the device wrote no such file");
      return std::nullopt;
    }
    auto tensor = load_result(file, expected);
    if (tensor.ok()) return *std::move(tensor);
    report_.miss(kCheck, subject, tensor.error().message);
    return std::nullopt;
  }

  // Whether the device wrote it and it passes.
  Result<bool> compare_tensor(const std::string& run, const StoredTensor& stored, const Gate& gate) {
    const auto actual = result_of(run, stored);
    if (!actual) return false;
    TRY_ASSIGN(const Tensor expected, load_stored(c_.bundle, stored));
    return report_.compare({kCheck, run + "/" + stored.name, kAgainst, gate}, *actual, expected);
  }

  Status compare_run(const GraphRun& run) {
    const NpuGates gates = gates_of_graph(run.graph);
    for (const StoredTensor& output : run.outputs) TRY(compare_tensor(run.name, output, gate_of(output.name, gates)));
    return {};
  }

  Status compare_answer(const PictureAnswer& answer) {
    TRY(compare_tensor(answer.name, answer.image_features, loosest_gate(/*with_decoders=*/false, &NpuGates::features)));
    TRY_ASSIGN(const std::optional<LogitRows> rows, logits_of(answer));
    bool good = false;
    if (rows) {
      const Gate gate = loosest_gate(/*with_decoders=*/true, &NpuGates::logits);
      good = report_.compare({kCheck, answer.name + "/" + answer.logits.name, kAgainst, gate}, rows->actual, rows->expected);
      compare_distributions(answer, *rows);
    }
    return compare_ids(answer, good ? rows : std::nullopt);
  }

  struct LogitRows {
    Tensor expected, actual;
  };
  // Nothing where the device wrote none that fit, which is a row.
  Result<std::optional<LogitRows>> logits_of(const PictureAnswer& answer) {
    auto actual = result_of(answer.name, answer.logits);
    if (!actual) return std::optional<LogitRows>();
    TRY_ASSIGN(const Tensor stored, load_stored(c_.bundle, answer.logits));
    return std::optional(LogitRows{to_float32(stored.view()), *std::move(actual)});
  }

  void compare_distributions(const PictureAnswer& answer, const LogitRows& rows) {
    const Divergence apart = divergence(rows.expected.floats(), rows.actual.floats(), static_cast<std::size_t>(answer.logits.shape[1]));
    const std::string sentence =
        fmt::format("KL {:.2e} nats on average, {:.2e} at most over {} tokens", apart.mean, apart.largest, answer.ids.size());
    if (apart.mean <= kMaxDivergence)
      report_.pass(kCheck, answer.name + " distribution", sentence);
    else
      report_.miss(kCheck, answer.name + " distribution", fmt::format("{}; the gate is {} on average", sentence, kMaxDivergence));
  }

  // Without good logits of the device nothing says how much rounding moves them: then all must be the same.
  static Choices choices_of(const PictureAnswer& answer, std::span<const std::int32_t> actual, const std::optional<LogitRows>& rows) {
    if (rows) return compare_choices(rows->expected.floats(), rows->actual.floats(), actual);
    Choices choices{.rows = static_cast<std::int64_t>(answer.ids.size())};
    if (const auto other = std::ranges::mismatch(answer.ids, actual); other.in1 != answer.ids.end())
      choices.other = other.in1 - answer.ids.begin();
    return choices;
  }

  // Every device writes these at the end of an answer. `rows`: logits that pass.
  Status compare_ids(const PictureAnswer& answer, const std::optional<LogitRows>& rows) {
    const std::string subject = answer.name + " ids";
    const Path file = c_.results / answer.name / "ids.raw";
    if (!is_there(file)) {
      report_.miss(kCheck, subject, "the device gave no answer, so its self-test did not come to an end; run it again");
      return {};
    }
    const auto count = static_cast<std::int64_t>(answer.ids.size());
    const auto ids = load_result(file, {.name = "ids", .type = Dtype::kInt32, .shape = {count}});
    if (!ids.ok()) {
      report_.miss(kCheck, subject, ids.error().message);
      return {};
    }
    std::vector<std::int32_t> actual(answer.ids.size());
    std::memcpy(actual.data(), ids->bytes.data(), ids->bytes.size());
    const Choices choices = choices_of(answer, actual, rows);
    if (!choices.other) {
      report_.pass(kCheck, subject, describe(choices));
      return {};
    }
    const auto at = static_cast<std::size_t>(*choices.other);
    report_.miss(kCheck, subject, fmt::format("choice {} is {} on the device, {} on the CPU", at + 1, actual[at], answer.ids[at]));
    return {};
  }

  // True when a tensor departs: the first one has a row, those behind it do not matter.
  Result<bool> compare_probes(const GraphRun& run) {
    const NpuGates gates = gates_of_graph(run.graph);
    const Gate& usual = run.graph.starts_with("vision") ? gates.features : gates.logits;
    const bool wrong = !report_.passed();
    std::optional<double> least;  // of the outputs of layers before
    std::int64_t compared = 0;
    for (const StoredTensor& output : run.outputs) {
      const auto actual = result_of(run.name, output);
      if (!actual) continue;
      ++compared;
      TRY_ASSIGN(const Tensor stored, load_stored(c_.bundle, output));
      const Tensor expected = to_float32(stored.view());
      const Difference difference = compare(actual->floats(), expected.floats());
      const Gate& gate = is_cache(output.name) ? gates.cache : usual;
      const bool falls = wrong && !is_cache(output.name) && least && difference.snr_db < *least - kFallDb;
      if (passes(gate, difference) && !falls) {
        if (!is_cache(output.name)) least = std::min(least.value_or(difference.snr_db), difference.snr_db);
        continue;
      }
      const std::string before = least ? fmt::format("; the layers before have {:.1f} dB and more", *least) : "";
      report_.miss(kCheck, run.name,
                   fmt::format("the first tensor that departs is \"{}\"{}, with {:.1f} dB{}", output.name, layer_in_words(output.name),
                               difference.snr_db, before));
      return true;
    }
    if (compared > 0)
      report_.pass(kCheck, run.name, fmt::format("none of {} tensors between the layers departs ({})", compared, describe(usual)));
    return false;
  }

  const ResultsCheck& c_;
  VerifyReport& report_;
  std::vector<GraphEntry> graphs_;  // of the bundle
};

// Results of ours say which self-test they belong to; those of other programs say nothing.
Status check_origin(const ResultsCheck& check) {
  const Path about = check.results / kResultsFile;
  std::error_code ignored;
  if (!std::filesystem::is_directory(check.results, ignored)) return bad_input("{}: there is no such folder", check.results.string());
  if (!is_there(about)) return {};
  TRY_ASSIGN(const Json json, read_json_file(about, std::size_t{1} << 20));
  TRY_ASSIGN(const std::string sha256, json_string(json, "selftest_sha256", about.string()));
  TRY_ASSIGN(const std::string own, sha256_of_file(check.bundle / kSelfTestFolder / kSelfTestFile));
  if (sha256 != own)
    return bad_input("{}: are results of another self-test than that of {}; run the self-test of this bundle", check.results.string(),
                     check.bundle.string());
  return {};
}

}  // namespace

Result<VerifyReport> check_results(const ResultsCheck& check) {
  TRY_ASSIGN(const SelfTest test, read_selftest(check.bundle));
  TRY(check_origin(check));
  VerifyReport report;
  TRY(Comparison(check, report).run(test));
  if (!report.compared(kCheck)) report.miss(kCheck, check.results.filename().string(), "holds no result of this self-test");
  return report;
}

Divergence divergence(std::span<const float> expected, std::span<const float> actual, std::size_t width) {
  Divergence result;
  const std::size_t rows = width == 0 ? 0 : expected.size() / width;
  const auto log_sum = [](std::span<const float> row) {
    const double top = std::ranges::max(row);
    double sum = 0;
    for (const float value : row) sum += std::exp(value - top);
    return top + std::log(sum);
  };
  for (std::size_t r = 0; r < rows; ++r) {
    const auto p = expected.subspan(r * width, width), q = actual.subspan(r * width, width);
    const double log_p = log_sum(p), log_q = log_sum(q);
    double kl = 0;
    for (std::size_t i = 0; i < width; ++i) kl += std::exp(p[i] - log_p) * ((p[i] - log_p) - (q[i] - log_q));
    result.mean += kl / static_cast<double>(rows);
    result.largest = std::max(result.largest, kl);
  }
  return result;
}

}  // namespace fastvlm::device
