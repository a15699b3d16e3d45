// What verify found: a row for each thing that was looked at.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/result.h"
#include "fastvlm/tensor/compare.h"
#include "fastvlm/tensor/tensor.h"
#include "fastvlm/verify/gates.h"

namespace fastvlm {

enum class Outcome { kPassed, kMissed, kNotCompared };
std::string_view name(Outcome outcome);  // "ok", "MISSED", "not compared"

struct VerifyRow {
  std::string check;    // "files", "graph", "run", "forms", "golden", "npu", "checkpoint"
  std::string subject;  // the file or tensor
  std::string shape;    // of a compared tensor
  std::optional<Difference> difference;
  Outcome outcome = Outcome::kPassed;
  std::string sentence;  // what was compared, or why it missed
};

struct VerifyReport {
  std::vector<VerifyRow> rows;

  // Nothing missed its gate. Rows that were not compared neither pass nor fail.
  bool passed() const;
  std::int64_t count(Outcome outcome) const;
  // Whether anything was found out in that check, good or bad.
  bool compared(std::string_view check) const;

  void pass(std::string check, std::string subject, std::string sentence);
  void miss(std::string check, std::string subject, std::string sentence);
  void skip(std::string check, std::string subject, std::string why);
  // An Error while checking is a row, except an interrupt, which comes back.
  Status fail(const std::string& check, const std::string& subject, Error error);
  // Compares two tensors; true when they pass. Another shape is a miss.
  struct Comparison {
    std::string check;
    std::string subject;
    std::string sentence;
    Gate gate;
  };
  bool compare(const Comparison& comparison, const Tensor& actual, const Tensor& expected);
};

OrderedJson to_json(const VerifyReport& report);
// Head and rows for a table: check, subject, shape, max relative error, SNR, cosine, verdict, sentence.
std::vector<std::vector<std::string>> to_table(const VerifyReport& report);

}  // namespace fastvlm
