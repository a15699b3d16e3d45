#include "fastvlm/device/check_results.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::device {
namespace {

constexpr const char* kCheck = "device";
constexpr double kMaxDivergence = 0.05;  // nats; a logits SNR at its gate leaves a tenth of it

bool is_there(const Path& file) {
  std::error_code ignored;
  return std::filesystem::exists(file, ignored);
}

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
  Comparison(const ResultsCheck& check, VerifyReport& report) : c_(check), report_(report) {}

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
  const Gate& gate_of(const std::string& output) const {
    return output == "image_features" ? c_.gates.features : is_cache(output) ? c_.gates.cache : c_.gates.logits;
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

  Status compare_tensor(const std::string& run, const StoredTensor& stored, const Gate& gate) {
    const auto actual = result_of(run, stored);
    if (!actual) return {};
    TRY_ASSIGN(const Tensor expected, load_stored(c_.bundle, stored));
    report_.compare({kCheck, run + "/" + stored.name, "device against CPU", gate}, *actual, expected);
    return {};
  }

  Status compare_run(const GraphRun& run) {
    for (const StoredTensor& output : run.outputs) TRY(compare_tensor(run.name, output, gate_of(output.name)));
    return {};
  }

  Status compare_answer(const PictureAnswer& answer) {
    TRY(compare_tensor(answer.name, answer.image_features, c_.gates.features));
    TRY(compare_tensor(answer.name, answer.logits, c_.gates.logits));
    const Path logits = c_.results / answer.name / "logits.raw";
    if (is_there(logits)) TRY(compare_distributions(answer, logits));
    return compare_ids(answer);
  }

  Status compare_distributions(const PictureAnswer& answer, const Path& file) {
    const auto actual = load_result(file, answer.logits);
    if (!actual.ok()) return {};  // a row already
    TRY_ASSIGN(const Tensor stored, load_stored(c_.bundle, answer.logits));
    const Tensor expected = to_float32(stored.view());
    const Divergence apart = divergence(expected.floats(), actual->floats(), static_cast<std::size_t>(answer.logits.shape[1]));
    const std::string sentence =
        fmt::format("KL {:.2e} nats on average, {:.2e} at most over {} tokens", apart.mean, apart.largest, answer.ids.size());
    if (apart.mean <= kMaxDivergence)
      report_.pass(kCheck, answer.name + " distribution", sentence);
    else
      report_.miss(kCheck, answer.name + " distribution", fmt::format("{}; the gate is {} on average", sentence, kMaxDivergence));
    return {};
  }

  Status compare_ids(const PictureAnswer& answer) {
    const std::string subject = answer.name + " ids";
    const Path file = c_.results / answer.name / "ids.raw";
    if (!is_there(file)) {
      report_.skip(kCheck, subject, "not compared: the device wrote no such file");
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
    const auto other = std::ranges::mismatch(answer.ids, actual);
    if (other.in1 == answer.ids.end())
      report_.pass(kCheck, subject, fmt::format("all {} choices are the same", count));
    else
      report_.miss(kCheck, subject,
                   fmt::format("choice {} is {} on the device, {} on the CPU", other.in1 - answer.ids.begin() + 1, *other.in2, *other.in1));
    return {};
  }

  // True when a tensor departs: the first one has a row, those behind it do not matter.
  Result<bool> compare_probes(const GraphRun& run) {
    const double gate = run.graph.starts_with("vision") ? c_.gates.features.min_snr_db : c_.gates.logits.min_snr_db;
    std::int64_t compared = 0;
    for (const StoredTensor& output : run.outputs) {
      const auto actual = result_of(run.name, output);
      if (!actual) continue;
      ++compared;
      TRY_ASSIGN(const Tensor stored, load_stored(c_.bundle, output));
      const Tensor expected = to_float32(stored.view());
      const Difference difference = compare(actual->floats(), expected.floats());
      if (difference.finite && difference.snr_db >= gate) continue;
      report_.miss(kCheck, run.name,
                   fmt::format("the first tensor that departs is \"{}\"{}, with {:.1f} dB", output.name, layer_in_words(output.name),
                               difference.snr_db));
      return true;
    }
    if (compared > 0)
      report_.pass(kCheck, run.name, fmt::format("none of {} tensors between the layers departs (SNR >= {} dB)", compared, gate));
    return false;
  }

  const ResultsCheck& c_;
  VerifyReport& report_;
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
