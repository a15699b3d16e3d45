#include "fastvlm/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptOutputBytes = std::size_t{4} << 20;

Error system_error(std::string_view what) { return bad_environment("{}: {}", what, std::strerror(errno)); }

// An anonymous file in place of a pipe: the child may read it or not, we can neither hang nor get SIGPIPE.
Result<Descriptor> make_input(const std::string& text) {
  if (text.empty()) return Descriptor();
  Descriptor file(::memfd_create("input", MFD_CLOEXEC));
  if (file.get() < 0) return system_error("cannot hold the input of a program");
  for (std::size_t done = 0; done < text.size();) {
    ssize_t wrote = ::write(file.get(), text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return system_error("cannot hold the input of a program");
    done += static_cast<std::size_t>(wrote);
  }
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

// Reads what the child prints, and watches its limits meanwhile.
class Listener {
 public:
  Listener(const ProcessOptions& options, Process process, Descriptor output, std::optional<OutputFile> log)
      : options_(options), process_(std::move(process)), output_(std::move(output)), log_(std::move(log)) {}

  Result<ProcessResult> wait() {
    while (!process_.has_ended()) {
      TRY(process_.watch(options_.limits, options_.program.string(), "end", start_));
      TRY(read_output(output_.get() < 0 ? 2 : 20));
    }
    TRY(read_output(0));
    if (!line_.empty() && options_.on_output_line) options_.on_output_line(line_);
    if (log_) TRY(log_->close());
    if (kept_.size() > kKeptOutputBytes) kept_.erase(0, kept_.size() - kKeptOutputBytes);
    const ProcessEnd& end = process_.wait();
    return ProcessResult{.exit_code = end.exit_code,
                         .signal = end.signal,
                         .output = std::move(kept_),
                         .peak_rss_bytes = end.peak_rss_bytes,
                         .seconds = end.seconds};
  }

 private:
  // Reads what is there, after at most `patience` milliseconds; a bounded piece, so that the limits get their turn.
  Status read_output(int patience) {
    pollfd event{.fd = output_.get(), .events = POLLIN, .revents = 0};
    std::array<char, 65536> buffer;
    for (int reads = 0; reads < 64 && ::poll(&event, 1, patience) > 0; ++reads) {
      ssize_t got = ::read(output_.get(), buffer.data(), buffer.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) {
        output_.reset();
        break;
      }
      TRY(take({buffer.data(), static_cast<std::size_t>(got)}));
      patience = 0;
    }
    return {};
  }

  Status take(std::string_view text) {
    kept_ += text;
    if (kept_.size() > 2 * kKeptOutputBytes) kept_.erase(0, kept_.size() - kKeptOutputBytes);
    if (log_) {
      TRY(log_->write_at(logged_, as_bytes(text)));
      logged_ += text.size();
    }
    if (!options_.on_output_line) return {};
    for (std::size_t end; (end = text.find_first_of("\r\n")) != std::string_view::npos; text.remove_prefix(end + 1)) {
      line_ += text.substr(0, end);
      if (!line_.empty()) options_.on_output_line(line_);
      line_.clear();
    }
    line_ += text;
    if (line_.size() > kKeptOutputBytes) line_.clear();
    return {};
  }

  const ProcessOptions& options_;
  Process process_;
  Descriptor output_;
  std::optional<OutputFile> log_;
  std::uint64_t logged_ = 0;
  std::string line_, kept_;
  Clock::time_point start_ = Clock::now();
};

}  // namespace

Result<ProcessResult> run_process(const ProcessOptions& options) {
  TRY(check_interrupt(options.limits.stop));
  TRY_ASSIGN(const Descriptor input, make_input(options.input));
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe");
  Descriptor output(ends[0]), write_end(ends[1]);
  std::optional<OutputFile> log;
  if (!options.log_file.empty()) {
    TRY_ASSIGN(OutputFile file, OutputFile::create(options.log_file, 0));
    log.emplace(std::move(file));
  }
  TRY_ASSIGN(Process process, Process::start({.program = options.program,
                                              .arguments = options.arguments,
                                              .environment = options.environment,
                                              .working_folder = options.working_folder,
                                              .input = input.get(),
                                              .output = write_end.get()}));
  write_end.reset();
  return Listener(options, std::move(process), std::move(output), std::move(log)).wait();
}

std::string describe(const ProcessResult& result) {
  return describe(ProcessEnd{.exit_code = result.exit_code, .signal = result.signal}, result.output);
}

}  // namespace fastvlm
