// Printing: results on standard output, progress and errors on standard error.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/result.h"

namespace fastvlm::cli {

// "fastvlm-npu: <sentence>"; returns the exit code of the error.
int print_error(const Error& error);

void print_line(const std::string& line);
void print_json(const OrderedJson& json);

// Columns padded to their widest cell; the first row is the head.
void print_table(const std::vector<std::vector<std::string>>& rows);

// A bar with stage, rate and time left on a terminal, a line for each stage elsewhere.
std::unique_ptr<Progress> make_progress(bool quiet);

std::string human_bytes(std::uint64_t bytes);

}  // namespace fastvlm::cli
