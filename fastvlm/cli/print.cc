#include "fastvlm/cli/print.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

namespace fastvlm::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string amount(const ProgressEvent& event, std::uint64_t value) { return event.bytes ? human_bytes(value) : std::to_string(value); }

// A bar stands on the last line of the terminal; an error must begin below it.
std::atomic<bool> bar_is_open{false};

// fputs, because fmt::print throws when standard error is closed.
void to_stderr(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

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
        line += fmt::format(", {}/s, {:.0f} s left", amount(event, static_cast<std::uint64_t>(static_cast<double>(event.done) / spent)),
                            spent / share - spent);
    }
    to_stderr(fmt::format("\r\033[K{}{}", line, last ? "\n" : ""));
    bar_is_open = !last;
  }

 private:
  Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_;
};

std::string without_controls(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n') || byte == 0x7f)
      clean += fmt::format("\\x{:02x}", byte);
    else
      clean += c;
  }
  return clean;
}

// Characters, not bytes: continuation bytes of UTF-8 take no column.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

OrderedJson error_json(const Error& error) {
  const auto kind = [&] {
    switch (error.kind) {
      case ErrorKind::kCheckFailed: return "check_failed";
      case ErrorKind::kUsage: return "usage";
      case ErrorKind::kBadInput: return "bad_input";
      case ErrorKind::kEnvironment: return "environment";
      case ErrorKind::kInterrupted: return "interrupted";
    }
    return "bug";
  };
  OrderedJson facts = {{"kind", kind()}, {"message", error.message}};
  if (!error.option.empty()) facts["option"] = error.option;
  return {{"error", facts}};
}

int print_error(const Error& error) {
  std::fflush(stdout);
  to_stderr(fmt::format("{}fastvlm-npu: {}\n", bar_is_open.exchange(false) ? "\n" : "", without_controls(error.message)));
  return static_cast<int>(error.kind);
}

void print_text(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void print_line(std::string_view line) { print_text(without_controls(line) + "\n"); }

// Names from foreign files may hold any bytes; what is not UTF-8 is replaced.
void print_json(const OrderedJson& json) { print_text(json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"); }

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (i == widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], columns(without_controls(row[i])));
    }
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string cell = without_controls(row[i]);
      line += cell;
      if (i + 1 < row.size()) line.append(widths[i] - columns(cell) + 2, ' ');
    }
    print_line(line);
  }
}

int finish_output(int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  const int failure = errno;
  const int failed = print_error(bad_environment("cannot write to standard output ({})", std::strerror(failure)));
  return code == 0 ? failed : code;
}

std::unique_ptr<Progress> make_progress(bool quiet) {
  if (quiet) return std::make_unique<Progress>();
  if (::isatty(STDERR_FILENO)) return std::make_unique<Progress>(TerminalBar());
  return std::make_unique<Progress>([](const ProgressEvent& event) {
    if (event.done == 0) to_stderr(fmt::format("{}{}\n", event.stage, event.total > 0 ? ": " + amount(event, event.total) : ""));
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

std::string grouped(std::uint64_t number) {
  const std::string digits = std::to_string(number);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

}  // namespace fastvlm::cli
