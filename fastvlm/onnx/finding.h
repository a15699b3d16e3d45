// What a check of a graph found.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

namespace fastvlm {

enum class Severity { kNote, kWarning, kError };

struct Finding {
  Severity severity = Severity::kError;
  std::string subject;  // name of the node, tensor or operator; empty: the whole model
  std::string message;  // one sentence that can be read without the subject
};

inline bool has_errors(const std::vector<Finding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const Finding& f) { return f.severity == Severity::kError; });
}

}  // namespace fastvlm
