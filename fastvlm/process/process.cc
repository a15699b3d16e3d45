#include "fastvlm/process/process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

extern char** environ;

namespace fastvlm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kKeptOutputBytes = std::size_t{4} << 20;
constexpr auto kGracePeriod = std::chrono::seconds(2);  // between the polite signal and the other one

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(value_, other.value_);
    return *this;
  }
  ~Descriptor() { reset(); }
  void reset() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }
  int get() const { return value_; }

 private:
  int value_;
};

struct Pipe {
  Descriptor read_end, write_end;
};

Error system_error(std::string_view what) { return bad_environment("{}: {}", what, std::strerror(errno)); }

Result<Pipe> make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe");
  return Pipe{Descriptor(ends[0]), Descriptor(ends[1])};
}

// An anonymous file in place of a pipe: the child may read it or not, we can neither hang nor get SIGPIPE.
Result<Descriptor> make_input(const std::string& text) {
  if (text.empty()) {
    Descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (nothing.get() < 0) return system_error("/dev/null");
    return nothing;
  }
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

// The search path is the one variable read here: it is part of what "the program of this name" means.
Result<Path> find_program(const Path& program) {
  if (program.has_parent_path()) return program;
  const char* search = std::getenv("PATH");
  std::string_view rest = search != nullptr ? search : "/usr/bin:/bin";
  while (true) {
    std::size_t colon = rest.find(':');
    Path candidate = Path(rest.substr(0, colon)) / program;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) break;
    rest.remove_prefix(colon + 1);
  }
  return bad_environment("{}: there is no such program on the PATH; install it", program.string());
}

std::vector<std::string> merged_environment(const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> merged;
  for (const auto& [key, value] : additions) merged.push_back(key + "=" + value);
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    std::string_view key = text.substr(0, text.find('='));
    bool replaced = std::any_of(additions.begin(), additions.end(), [&](const auto& pair) { return pair.first == key; });
    if (!replaced) merged.emplace_back(text);
  }
  return merged;
}

std::vector<char*> c_strings(std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  for (std::string& text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Everything the child needs, made before the fork: between fork and exec nothing may allocate.
struct Launch {
  const char* program;
  char** arguments;
  char** environment;
  const char* folder;  // or nullptr
  int input, output, report;
  pid_t parent;
};

[[noreturn]] void become(const Launch& launch) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  bool good = ::getppid() == launch.parent;  // else the parent died before prctl
  good = good && (launch.folder == nullptr || ::chdir(launch.folder) == 0);
  good = good && ::dup2(launch.input, 0) >= 0 && ::dup2(launch.output, 1) >= 0 && ::dup2(launch.output, 2) >= 0;
  if (good) ::execve(launch.program, launch.arguments, launch.environment);
  int failure = errno;
  [[maybe_unused]] ssize_t ignored = ::write(launch.report, &failure, sizeof failure);
  ::_exit(127);
}

std::uint64_t field_of_status(const std::string& file, std::string_view field) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);)
    if (line.starts_with(field)) return std::strtoull(line.c_str() + field.size(), nullptr, 10) * 1024;
  return 0;
}

// A started child: reads its output, watches the clock and the interrupt flag, and leaves nobody behind.
class Child {
 public:
  Child(const ProcessOptions& options, pid_t id, Descriptor output, std::optional<OutputFile> log)
      : options_(options), id_(id), output_(std::move(output)), log_(std::move(log)) {}
  ~Child() {
    if (!reaped_) stop(Clock::now());
  }

  Result<ProcessResult> wait() {
    while (!has_ended()) {
      TRY(check_limits());
      TRY(read_output(output_.get() < 0 ? 2 : 20));
      sample_memory();
    }
    TRY(read_output(0));
    reap();
    if (!line_.empty() && options_.on_output_line) options_.on_output_line(line_);
    if (log_) TRY(log_->close());
    if (result_.output.size() > kKeptOutputBytes) result_.output.erase(0, result_.output.size() - kKeptOutputBytes);
    result_.seconds = seconds();
    return std::move(result_);
  }

 private:
  double seconds() const { return std::chrono::duration<double>(Clock::now() - start_).count(); }

  // Looks without reaping: as long as the child is a zombie, its id and group cannot pass to somebody else.
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == id_;
  }

  Status check_limits() {
    if (Status status = check_interrupt(); !status.ok()) {
      stop(Clock::now() + kGracePeriod);
      return status;
    }
    if (options_.timeout_seconds > 0 && seconds() > options_.timeout_seconds) {
      stop(Clock::now() + kGracePeriod);
      return bad_environment("{} did not end within {} seconds and was stopped", options_.program.string(), options_.timeout_seconds);
    }
    return {};
  }

  void stop(Clock::time_point deadline) {
    ::kill(-id_, SIGTERM);
    while (!has_ended() && Clock::now() < deadline) ::usleep(5000);
    reap();
  }

  // Whoever is left of the group (grandchildren) goes with it.
  void reap() {
    ::kill(-id_, SIGKILL);
    int status = 0;
    rusage usage{};
    pid_t got;
    while ((got = ::wait4(id_, &status, 0, &usage)) < 0 && errno == EINTR) {}
    reaped_ = true;
    result_.signal = got == id_ && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    result_.exit_code = got == id_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    // The kernel counts the moment between fork and exec, when the child is as large as we are.
    std::uint64_t counted = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
    result_.peak_rss_bytes = counted > own_rss_ || sampled_rss_ == 0 ? counted : sampled_rss_;
  }

  void sample_memory() {
    auto now = Clock::now();
    if (now < next_sample_) return;
    next_sample_ = now + std::chrono::milliseconds(50);
    sampled_rss_ = std::max(sampled_rss_, field_of_status(fmt::format("/proc/{}/status", id_), "VmHWM:"));
  }

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
    result_.output += text;
    if (result_.output.size() > 2 * kKeptOutputBytes) result_.output.erase(0, result_.output.size() - kKeptOutputBytes);
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
  pid_t id_;
  Descriptor output_;
  std::optional<OutputFile> log_;
  std::uint64_t logged_ = 0;
  std::string line_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point next_sample_ = start_;
  std::uint64_t own_rss_ = field_of_status("/proc/self/status", "VmRSS:");
  std::uint64_t sampled_rss_ = 0;
  bool reaped_ = false;
  ProcessResult result_;
};

}  // namespace

Result<ProcessResult> run_process(const ProcessOptions& options) {
  TRY(check_interrupt());
  TRY_ASSIGN(Path program, find_program(options.program));
  TRY_ASSIGN(Descriptor input, make_input(options.input));
  TRY_ASSIGN(Pipe output, make_pipe());
  TRY_ASSIGN(Pipe report, make_pipe());
  std::optional<OutputFile> log;
  if (!options.log_file.empty()) {
    TRY_ASSIGN(OutputFile file, OutputFile::create(options.log_file, 0));
    log.emplace(std::move(file));
  }

  std::vector<std::string> arguments = options.arguments;
  arguments.insert(arguments.begin(), program.string());
  std::vector<std::string> environment = merged_environment(options.environment);
  std::vector<char*> argument_pointers = c_strings(arguments);
  std::vector<char*> environment_pointers = c_strings(environment);
  Launch launch{.program = program.c_str(),
                .arguments = argument_pointers.data(),
                .environment = environment_pointers.data(),
                .folder = options.working_folder.empty() ? nullptr : options.working_folder.c_str(),
                .input = input.get(),
                .output = output.write_end.get(),
                .report = report.write_end.get(),
                .parent = ::getpid()};
  pid_t id = ::fork();
  if (id < 0) return system_error("cannot start another process");
  if (id == 0) become(launch);

  Child child(options, id, std::move(output.read_end), std::move(log));
  output.write_end.reset();
  report.write_end.reset();
  int failure = 0;
  ssize_t got;
  while ((got = ::read(report.read_end.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {}
  if (got == sizeof failure) return bad_environment("{}: cannot start it ({})", program.string(), std::strerror(failure));
  return child.wait();
}

std::string describe(const ProcessResult& result) {
  std::string text = result.signal != 0 ? fmt::format("was killed by signal {} ({})", result.signal, ::strsignal(result.signal))
                                        : fmt::format("ended with exit code {}", result.exit_code);
  std::string_view last = result.output;
  std::size_t end = last.find_last_not_of(" \t\r\n");
  if (end == std::string_view::npos) return text;
  last = last.substr(0, end + 1);
  std::size_t start = last.find_last_of("\r\n");
  if (start != std::string_view::npos) last.remove_prefix(start + 1);
  return fmt::format("{}; its last line was: {}", text, last);
}

Path own_executable() {
  std::error_code failure;
  Path path = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? Path("/proc/self/exe") : path;
}

}  // namespace fastvlm
