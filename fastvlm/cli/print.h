// Printing: results on standard output, progress and errors on standard error.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "fastvlm/base/disk_space.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/base/result.h"
#include "fastvlm/cli/table.h"

namespace fastvlm::cli {

// {"error": {"kind", "message", "option"}}: what a verb with --json prints where its result would have been.
OrderedJson error_json(const Error& error);

// "fastvlm-npu: <sentence>"; returns the exit code of the error.
int print_error(const Error& error);

// Exactly these bytes.
void print_text(std::string_view text);
// Text of help, within the width of the terminal.
void print_help(std::string_view text);
// A line for people: control characters, which foreign names may hold, are shown as \xNN.
void print_line(std::string_view line);
void print_json(const OrderedJson& json);

// The first row is the head; narrow terminals get narrow columns.
void print_table(const Rows& rows);

// Before the end: `code`, or that of an environment error when standard output could not take everything (disk full).
int finish_output(int code);

// A bar with stage, rate and time left on a terminal, a line for each stage elsewhere.
std::unique_ptr<Progress> make_progress(bool quiet);

// 494032768 as "494,032,768".
std::string grouped(std::uint64_t number);

}  // namespace fastvlm::cli
