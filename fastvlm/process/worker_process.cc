#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/process/worker.h"

namespace fastvlm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr off_t kTailBytes = 4096;
constexpr auto kEndPatience = std::chrono::seconds(10);  // for the vendor's libraries to close

struct Log {
  Path file;     // where it goes when it is to stay; empty: the text is kept in memory, for its last line
  Path written;  // where it lies until then
  Descriptor descriptor;

  void keep() const {
    std::error_code ignored;
    if (!file.empty()) std::filesystem::rename(written, file, ignored);
  }
};

Result<Log> make_log(const WorkerOptions& options, const std::optional<TemporaryFolder>& scratch) {
  static std::atomic<unsigned> counter{0};
  Log log;
  if (options.log_folder.empty()) {
    log.descriptor = Descriptor(::memfd_create("log", MFD_CLOEXEC));
    if (log.descriptor.get() < 0) return bad_environment("cannot keep what a process prints ({})", std::strerror(errno));
    return log;
  }
  const std::size_t word = std::min(options.worker.find_first_not_of('_'), options.worker.size());
  log.file = options.log_folder / fmt::format("fastvlm-npu-{}-{}-{}.log", options.worker.substr(word), ::getpid(), counter++);
  log.written = scratch->path() / log.file.filename();
  log.descriptor = Descriptor(::open(log.written.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (log.descriptor.get() < 0) return bad_environment("{}: cannot write ({})", log.written.string(), std::strerror(errno));
  return log;
}

// A folder for what the child's libraries leave where temporary files go, and for its log until that is to stay: it goes with the child,
// or with the next run when we are killed. Without a log to write, a child can do without.
Result<std::optional<TemporaryFolder>> make_scratch(const WorkerOptions& options) {
  std::error_code missing;
  if (!options.log_folder.empty() && !std::filesystem::is_directory(options.log_folder, missing))
    return bad_environment("{}: there is no such folder, which was to get the log of {}", options.log_folder.string(), options.called);
  auto folder = options.log_folder.empty() ? TemporaryFolder::create() : TemporaryFolder::create_in(options.log_folder);
  if (folder.ok()) return std::optional(*std::move(folder));
  if (!options.log_folder.empty()) return std::move(folder).error();
  return std::optional<TemporaryFolder>();
}

std::string tail_of(const Descriptor& log) {
  struct stat status{};
  if (::fstat(log.get(), &status) != 0) return {};
  const off_t start = std::max<off_t>(0, status.st_size - kTailBytes);
  std::string text(static_cast<std::size_t>(status.st_size - start), '\0');
  const ssize_t got = ::pread(log.get(), text.data(), text.size(), start);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(0, got)));
  return text;
}

}  // namespace

struct WorkerProcess::State {
  std::optional<TemporaryFolder> scratch;  // goes after the child
  WorkerOptions options;
  Process process;
  Channel channel;
  Log log;
  bool lost = false, crashed = false;
  Clock::time_point asked = Clock::now();

  Status watch() { return process.watch(options.limits, options.called, "answer", asked); }

  // The sentence about a child that did not answer as it should. `problem` is what the channel said.
  Error loss(Error problem) {
    const bool closed = channel.is_closed();
    lost = crashed = true;
    // Closing the channel comes a moment before the end.
    const auto deadline = Clock::now() + std::chrono::seconds(closed ? 2 : 0);
    while (!process.has_ended() && Clock::now() < deadline) ::usleep(2000);
    const bool ended = process.has_ended();
    const ProcessEnd& end = process.stop(std::chrono::milliseconds(0));
    if (!closed)
      problem = bad_environment("{} gave an answer that cannot be read: {}", options.called, problem.message);
    else if (!ended)
      problem = bad_environment("{} closed its channel without an answer and was stopped", options.called);
    else
      problem = bad_environment("{} {}", options.called, describe(end, tail_of(log.descriptor)));
    log.keep();
    if (!log.file.empty()) problem.message += fmt::format("; its log is {}", log.file.string());
    return problem;
  }
};

WorkerProcess::WorkerProcess(std::unique_ptr<State> state) : state_(std::move(state)) {}
WorkerProcess::WorkerProcess(WorkerProcess&& other) noexcept = default;

Result<WorkerProcess> WorkerProcess::start(const WorkerOptions& options) {
  TRY_ASSIGN(std::optional<TemporaryFolder> scratch, make_scratch(options));
  TRY_ASSIGN(Log log, make_log(options, scratch));
  TRY_ASSIGN(auto ends, Channel::make());
  auto environment = options.environment;
  if (scratch) environment.emplace_back("TMPDIR", scratch->path().string());
  auto process = Process::start({.program = options.program,
                                 .arguments = {options.worker},
                                 .environment = std::move(environment),
                                 .output = log.descriptor.get(),
                                 .channel = ends.second.get()});
  if (!process.ok()) return std::move(process).error();
  auto state = std::make_unique<State>(State{.scratch = std::move(scratch),
                                             .options = options,
                                             .process = *std::move(process),
                                             .channel = std::move(ends.first),
                                             .log = std::move(log)});
  state->channel.set_watch([state = state.get()] { return state->watch(); });
  return WorkerProcess(std::move(state));
}

WorkerProcess::~WorkerProcess() = default;

Result<Message> WorkerProcess::ask(const Json& header, std::span<const Bytes> parts) {
  State& state = *state_;
  if (state.lost) return bad_environment("{} is gone", state.options.called);
  state.asked = Clock::now();
  TRY(state.watch());
  Status sent = state.channel.send(header, parts);
  Result<Message> answer = sent.ok() ? state.channel.receive() : Result<Message>(std::move(sent).error());
  if (!answer.ok()) {
    // The watch has stopped the process and says why.
    const bool stopped = !state.channel.is_closed() && state.process.id() < 0;
    if (!stopped) return state.loss(std::move(answer).error());
    state.lost = true;
    return std::move(answer).error();
  }
  if (const Json* error = json_find(answer->header, "error")) return error_from_json(*error, state.options.called);
  return answer;
}

bool WorkerProcess::is_lost() const { return state_->lost; }
bool WorkerProcess::has_crashed() const { return state_->crashed; }

ProcessEnd WorkerProcess::finish() {
  State& state = *state_;
  state.process.sample_memory();
  state.channel = Channel(Descriptor());
  const auto deadline = Clock::now() + kEndPatience;
  while (!state.process.has_ended() && Clock::now() < deadline) {
    if (!state.watch().ok()) break;
    ::usleep(2000);
  }
  return state.process.stop(std::chrono::milliseconds(0));
}

void WorkerProcess::set_limits(ProcessLimits limits) { state_->options.limits = std::move(limits); }

Path WorkerProcess::keep_log() {
  state_->log.keep();
  return state_->log.file;
}

}  // namespace fastvlm
