#include "fastvlm/cli/print.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace fastvlm::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string amount(const ProgressEvent& event, std::uint64_t value) { return event.bytes ? human_bytes(value) : std::to_string(value); }

// One line that is drawn over itself, at most ten times a second.
class TerminalBar {
 public:
  void operator()(const ProgressEvent& event) {
    if (event.done == 0) begin_ = Clock::now();
    const bool last = event.total > 0 && event.done >= event.total;
    if (!last && event.done != 0 && seconds_since(drawn_) < 0.1) return;
    drawn_ = Clock::now();
    std::string line = fmt::format("{}: {}", event.stage, amount(event, event.done));
    if (event.total > 0) {
      const double share = static_cast<double>(event.done) / static_cast<double>(event.total), spent = seconds_since(begin_);
      line += fmt::format(" of {} ({:.0f} %)", amount(event, event.total), 100 * share);
      if (spent > 0.5 && event.done > 0)
        line += fmt::format(", {}/s, {:.0f} s left", amount(event, static_cast<std::uint64_t>(static_cast<double>(event.done) / spent)), spent / share - spent);
    }
    fmt::print(stderr, "\r\033[K{}{}", line, last ? "\n" : "");
    std::fflush(stderr);
  }

 private:
  Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_;
};

}  // namespace

int print_error(const Error& error) {
  std::fflush(stdout);
  fmt::print(stderr, "fastvlm-npu: {}\n", error.message);
  return static_cast<int>(error.kind);
}

void print_line(const std::string& line) { fmt::print("{}\n", line); }

// Names from foreign files may hold any bytes; what is not UTF-8 is replaced.
void print_json(const OrderedJson& json) { fmt::print("{}\n", json.dump(2, ' ', false, OrderedJson::error_handler_t::replace)); }

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += i + 1 == row.size() ? row[i] : fmt::format("{:<{}}  ", row[i], widths[i]);
    print_line(line);
  }
}

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return std::make_unique<Progress>();
  if (::isatty(STDERR_FILENO)) return std::make_unique<Progress>(TerminalBar());
  return std::make_unique<Progress>([](const ProgressEvent& event) {
    if (event.done == 0) fmt::print(stderr, "{}{}\n", event.stage, event.total > 0 ? ": " + amount(event, event.total) : "");
  });
}

std::string human_bytes(std::uint64_t bytes) {
  if (bytes < 1000) return fmt::format("{} B", bytes);
  const char* units[] = {"kB", "MB", "GB", "TB"};
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  while (value >= 999.95 && unit < 3) value /= 1000, ++unit;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

}  // namespace fastvlm::cli
