#include "fastvlm/process/spawn.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/process/spawner.h"

extern char** environ;

namespace fastvlm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr auto kGracePeriod = std::chrono::seconds(2);  // between the polite signal and the other one
constexpr auto kSamplePause = std::chrono::milliseconds(20);
constexpr int kAboveStandard = 10;  // descriptors from here on cannot be in the way of 0 to kChildChannel

Error system_error(std::string_view what) { return bad_environment("{}: {}", what, std::strerror(errno)); }

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

// A copy of `descriptor`, or of /dev/null, whose number is not in the way.
Result<Descriptor> for_child(int descriptor, int flags) {
  const Descriptor nothing(descriptor < 0 ? ::open("/dev/null", flags | O_CLOEXEC) : -1);
  if (descriptor < 0 && nothing.get() < 0) return system_error("/dev/null");
  Descriptor copy(::fcntl(descriptor < 0 ? nothing.get() : descriptor, F_DUPFD_CLOEXEC, kAboveStandard));
  if (copy.get() < 0) return system_error("cannot hand an open file to another process");
  return copy;
}

// A line of /proc/<process>/status in KiB ("VmHWM:    1234 kB"), as bytes; 0 when it cannot be read.
std::uint64_t field_of_status(const std::string& file, std::string_view field) {
  std::ifstream status(file);
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(field)) return std::strtoull(line.c_str() + field.size(), nullptr, 10) * 1024;
  return 0;
}

// What the child reports when it cannot become the program; nothing when it did.
int failure_of_exec(const Descriptor& report) {
  int failure = 0;
  ssize_t got;
  while ((got = ::read(report.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {}
  return got == sizeof failure ? failure : 0;
}

}  // namespace

void Descriptor::reset() {
  if (value_ >= 0) ::close(std::exchange(value_, -1));
}

std::string describe(const ProcessEnd& end) {
  return end.signal != 0 ? fmt::format("was killed by signal {} ({})", end.signal, ::strsignal(end.signal))
                         : fmt::format("ended with exit code {}", end.exit_code);
}

std::string describe(const ProcessEnd& end, std::string_view output) {
  const std::size_t last = output.find_last_not_of(" \t\r\n");
  if (last == std::string_view::npos) return describe(end);
  output = output.substr(0, last + 1);
  if (const std::size_t start = output.find_last_of("\r\n"); start != std::string_view::npos) output.remove_prefix(start + 1);
  return fmt::format("{}; its last line was: {}", describe(end), output);
}

Result<Process> Process::start(const SpawnOptions& options) {
  TRY_ASSIGN(Path program, find_program(options.program));
  TRY_ASSIGN(const Descriptor input, for_child(options.input, O_RDONLY));
  TRY_ASSIGN(const Descriptor output, for_child(options.output, O_WRONLY));
  Descriptor channel;
  if (options.channel >= 0) {
    TRY_ASSIGN(channel, for_child(options.channel, O_RDWR));
  }
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe");
  const Descriptor report(ends[0]);
  Descriptor write_end(ends[1]);
  TRY_ASSIGN(write_end, for_child(write_end.get(), O_WRONLY));

  std::vector<std::string> arguments = options.arguments;
  arguments.insert(arguments.begin(), program.string());
  std::vector<std::string> environment = merged_environment(options.environment);
  std::vector<char*> argument_pointers = c_strings(arguments), environment_pointers = c_strings(environment);
  TRY_ASSIGN(const pid_t id, fork_and_exec({.program = program.c_str(),
                                            .arguments = argument_pointers.data(),
                                            .environment = environment_pointers.data(),
                                            .folder = options.working_folder.empty() ? nullptr : options.working_folder.c_str(),
                                            .input = input.get(),
                                            .output = output.get(),
                                            .channel = channel.get(),
                                            .report = write_end.get()}));
  Process process(id);
  write_end.reset();
  if (const int failure = failure_of_exec(report); failure != 0)
    return bad_environment("{}: cannot start it ({})", program.string(), std::strerror(failure));
  return process;
}

Process::Process(pid_t id)
    : id_(id), start_(Clock::now()), next_sample_(start_), own_rss_(field_of_status("/proc/self/status", "VmRSS:")) {}

Process::Process(Process&& other) noexcept
    : id_(std::exchange(other.id_, -1)),
      end_(other.end_),
      start_(other.start_),
      next_sample_(other.next_sample_),
      own_rss_(other.own_rss_),
      sampled_rss_(other.sampled_rss_) {}

Process::~Process() {
  if (id_ >= 0) stop(std::chrono::milliseconds(0));
}

bool Process::has_ended() const {
  if (id_ < 0) return true;
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == id_;
}

const ProcessEnd& Process::wait() {
  if (id_ < 0) return end_;
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
  ::kill(-id_, SIGKILL);
  int status = 0;
  rusage usage{};
  pid_t got;
  while ((got = ::wait4(id_, &status, 0, &usage)) < 0 && errno == EINTR) {}
  end_.signal = got == id_ && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  end_.exit_code = got == id_ && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  // The kernel counts the moment between fork and exec, when the child is as large as we are.
  const std::uint64_t counted = static_cast<std::uint64_t>(usage.ru_maxrss) * 1024;
  end_.peak_rss_bytes = counted > own_rss_ || sampled_rss_ == 0 ? counted : sampled_rss_;
  end_.seconds = std::chrono::duration<double>(Clock::now() - start_).count();
  id_ = -1;
  return end_;
}

const ProcessEnd& Process::stop(std::chrono::milliseconds patience) {
  if (id_ < 0) return end_;
  const auto deadline = Clock::now() + patience;
  ::kill(-id_, SIGTERM);
  while (!has_ended() && Clock::now() < deadline) ::usleep(5000);
  ::kill(-id_, SIGKILL);
  return wait();
}

void Process::sample_memory() {
  if (id_ < 0) return;
  sampled_rss_ = std::max(sampled_rss_, field_of_status(fmt::format("/proc/{}/status", id_), "VmHWM:"));
}

Status Process::watch(const ProcessLimits& limits, std::string_view who, std::string_view what, Clock::time_point since) {
  const auto now = Clock::now();
  if (now >= next_sample_) {
    next_sample_ = now + kSamplePause;
    sample_memory();
  }
  Status status = limits.heed_interrupt ? check_interrupt(limits.stop) : Status();
  if (status.ok() && limits.seconds > 0 && std::chrono::duration<double>(now - since).count() > limits.seconds)
    status = bad_environment("{} did not {} within {} seconds and was stopped", who, what, limits.seconds);
  if (status.ok() && limits.memory_bytes > 0 && sampled_rss_ > limits.memory_bytes)
    status = bad_environment("{} took more than {} MB of memory and was stopped", who, limits.memory_bytes >> 20);
  if (!status.ok()) stop(kGracePeriod);
  return status;
}

Path own_executable() {
  std::error_code failure;
  Path path = std::filesystem::read_symlink("/proc/self/exe", failure);
  return failure ? Path("/proc/self/exe") : path;
}

}  // namespace fastvlm
