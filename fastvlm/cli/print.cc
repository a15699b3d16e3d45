#include "fastvlm/cli/print.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "fastvlm/cli/flags.h"

namespace fastvlm::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) { return std::chrono::duration<double>(Clock::now() - begin).count(); }

std::string amount(const ProgressEvent& event, std::uint64_t value) { return event.bytes ? human_bytes(value) : std::to_string(value); }

// A bar stands on the last line of the terminal; an error and a result must begin below it.
std::atomic<bool> bar_is_open{false};

// fputs, because fmt::print throws when standard error is closed.
void to_stderr(const std::string& text) {
  std::fputs(text.c_str(), stderr);
  std::fflush(stderr);
}

// Columns of the terminal behind a descriptor; 0 when there is none.
std::size_t terminal_width(int descriptor) {
  struct winsize size = {};
  if (::isatty(descriptor) == 0 || ::ioctl(descriptor, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
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
    // A line that fills the terminal would go on below and could not be drawn over; the last column stays free.
    if (const std::size_t width = terminal_width(STDERR_FILENO); width > 0) line = cut_to(line, width - 1);
    to_stderr(fmt::format("\r\033[K{}{}", line, last ? "\n" : ""));
    bar_is_open = !last;
  }

 private:
  Clock::time_point begin_ = Clock::now();
  Clock::time_point drawn_;
};

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
  OrderedJson facts = {{"kind", kind()}, {"message", told_with_flags(error)}};
  if (!error.option.empty()) facts["option"] = flag_of(error.option).substr(2);
  return {{"error", facts}};
}

int print_error(const Error& error) {
  std::fflush(stdout);
  to_stderr(fmt::format("{}fastvlm-npu: {}\n", bar_is_open.exchange(false) ? "\n" : "", without_controls(told_with_flags(error))));
  return static_cast<int>(error.kind);
}

void print_text(std::string_view text) {
  if (bar_is_open.exchange(false)) to_stderr("\n");
  std::fwrite(text.data(), 1, text.size(), stdout);
}

void print_help(std::string_view text) { print_text(help_text(text, terminal_width(STDOUT_FILENO))); }

void print_line(std::string_view line) { print_text(without_controls(line) + "\n"); }

// Names from foreign files may hold any bytes; what is not UTF-8 is replaced.
void print_json(const OrderedJson& json) { print_text(json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n"); }

void print_table(const Rows& rows) { print_text(table_text(rows, terminal_width(STDOUT_FILENO))); }

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
