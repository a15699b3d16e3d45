#include "fastvlm/verify/report.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/tensor/convert.h"

namespace fastvlm {

std::string describe(const Gate& gate) {
  std::string text;
  if (std::isfinite(gate.max_relative)) text = fmt::format("relative error <= {:g}", gate.max_relative);
  if (std::isfinite(gate.min_snr_db)) text += fmt::format("{}SNR >= {:g} dB", text.empty() ? "" : ", ", gate.min_snr_db);
  return text;
}

std::string_view name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kPassed: return "ok";
    case Outcome::kMissed: return "MISSED";
    case Outcome::kNotCompared: break;
  }
  return "not compared";
}

bool VerifyReport::passed() const { return count(Outcome::kMissed) == 0; }

std::int64_t VerifyReport::count(Outcome outcome) const {
  return std::ranges::count_if(rows, [&](const VerifyRow& row) { return row.outcome == outcome; });
}

bool VerifyReport::compared(std::string_view check) const {
  return std::ranges::any_of(rows, [&](const VerifyRow& row) { return row.check == check && row.outcome != Outcome::kNotCompared; });
}

void VerifyReport::pass(std::string check, std::string subject, std::string sentence) {
  rows.push_back({.check = std::move(check), .subject = std::move(subject), .outcome = Outcome::kPassed, .sentence = std::move(sentence)});
}
void VerifyReport::miss(std::string check, std::string subject, std::string sentence) {
  rows.push_back({.check = std::move(check), .subject = std::move(subject), .outcome = Outcome::kMissed, .sentence = std::move(sentence)});
}
void VerifyReport::skip(std::string check, std::string subject, std::string why) {
  rows.push_back({.check = std::move(check), .subject = std::move(subject), .outcome = Outcome::kNotCompared, .sentence = std::move(why)});
}

Status VerifyReport::fail(const std::string& check, const std::string& subject, Error error) {
  if (error.kind == ErrorKind::kInterrupted) return error;
  miss(check, subject, std::move(error.message));
  return {};
}

bool VerifyReport::compare(const Comparison& comparison, const Tensor& actual, const Tensor& expected) {
  if (actual.shape != expected.shape) {
    miss(comparison.check, comparison.subject,
         fmt::format("{}: has shape {}, expected {}", comparison.sentence, to_string(actual.shape), to_string(expected.shape)));
    return false;
  }
  const Tensor a = to_float32(actual.view()), e = to_float32(expected.view());
  const Difference difference = fastvlm::compare(a.floats(), e.floats());
  const bool good = passes(comparison.gate, difference);
  VerifyRow row{.check = comparison.check,
                .subject = comparison.subject,
                .shape = to_string(expected.shape),
                .difference = difference,
                .outcome = good ? Outcome::kPassed : Outcome::kMissed,
                .sentence = comparison.sentence};
  if (!difference.finite)
    row.sentence += "; there are NaN or infinite values";
  else if (!good)
    row.sentence += fmt::format("; the gate is {}", describe(comparison.gate));
  rows.push_back(std::move(row));
  return good;
}

OrderedJson to_json(const VerifyReport& report) {
  OrderedJson rows = OrderedJson::array();
  for (const VerifyRow& row : report.rows) {
    OrderedJson json = {{"check", row.check}, {"subject", row.subject}};
    if (row.difference) {
      const Difference& d = *row.difference;
      json["shape"] = row.shape;
      json["finite"] = d.finite;
      // JSON has no infinity.
      if (d.finite)
        json.update({{"max_abs", d.max_abs},
                     {"max_relative", std::isfinite(d.max_relative) ? OrderedJson(d.max_relative) : OrderedJson()},
                     {"cosine", d.cosine},
                     {"snr_db", d.snr_db},
                     {"worst", d.worst}});
    }
    json["verdict"] = name(row.outcome);
    json["sentence"] = row.sentence;
    rows.push_back(std::move(json));
  }
  return {{"passed", report.passed()},
          {"ok", report.count(Outcome::kPassed)},
          {"missed", report.count(Outcome::kMissed)},
          {"not_compared", report.count(Outcome::kNotCompared)},
          {"rows", rows}};
}

std::vector<std::vector<std::string>> to_table(const VerifyReport& report) {
  std::vector<std::vector<std::string>> table = {{"check", "tensor or file", "shape", "max relative", "SNR dB", "cosine", "verdict", ""}};
  for (const VerifyRow& row : report.rows) {
    std::vector<std::string> cells = {row.check, row.subject, row.shape, "", "", "", std::string(name(row.outcome)), row.sentence};
    if (row.difference) {
      cells[3] = fmt::format("{:.2e}", row.difference->max_relative);
      cells[4] = fmt::format("{:.1f}", row.difference->snr_db);
      cells[5] = fmt::format("{:.9f}", row.difference->cosine);
    }
    table.push_back(std::move(cells));
  }
  return table;
}

}  // namespace fastvlm
