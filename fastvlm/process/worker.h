// Workers: functions of ours that run in a child process, because what they call may crash (vendor libraries, parsers of
// foreign files). The child is the program again, started with the name of a row of its table of workers.
//
//   in the program:  constexpr Worker kWorkers[] = {{"__double-worker", [] { return RequestHandler(double_it); }}};
//                    int main(int argc, char** argv) { if (auto code = serve_worker(argc, argv, kWorkers)) return *code; … }
//   in the library:  TRY_ASSIGN(auto worker, WorkerProcess::start({.program = program, .worker = "__double-worker", …}));
//                    TRY_ASSIGN(Message answer, worker.ask({{"number", 21}}));
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fastvlm/process/channel.h"
#include "fastvlm/process/spawn.h"

namespace fastvlm {

// Answers one request. An Error goes back to whoever asked, an exception as an Error with its text.
using RequestHandler = std::function<Result<Message>(Message)>;

struct Worker {
  std::string_view name;
  RequestHandler (*make)();  // called once in the child; the handler keeps what lives from one request to the next
};

// In the child: when the first argument names a row of `workers`, serves requests until the other side is gone and returns
// the exit code; else nothing.
std::optional<int> serve_worker(int argc, char* const* argv, std::span<const Worker> workers);

struct WorkerOptions {
  Path program;        // whose table holds the worker: fastvlm-npu, or one that calls serve_worker()
  std::string worker;  // "__compile-worker"
  std::string called;  // in messages: "the compiling process"
  Path log_folder{};   // gets a file with what the child prints, which is named in errors; empty: none
  std::vector<std::pair<std::string, std::string>> environment{};  // added to ours, or in place of ours
  ProcessLimits limits{};                                          // the seconds are those of one request
};

// The other side of serve_worker().
class WorkerProcess {
 public:
  static Result<WorkerProcess> start(const WorkerOptions& options);
  WorkerProcess(WorkerProcess&& other) noexcept;
  WorkerProcess& operator=(WorkerProcess&&) = delete;
  // Kills the child. Its log goes, unless the child was lost or keep_log() was called.
  ~WorkerProcess();

  // Sends a request and waits for the answer. The Error is the worker's own, or (is_lost() then) says how the child ended:
  // "<called> was killed by signal 11 (Segmentation fault); its last line was: …; its log is …".
  Result<Message> ask(const Json& header, std::span<const Bytes> parts = {});
  bool is_lost() const;
  // It ended by itself (not because of a limit) and gave no answer.
  bool has_crashed() const;
  // Lets a child that is not needed any more end by itself, and says what it took.
  ProcessEnd finish();

  void set_limits(ProcessLimits limits);
  // The file with what the child prints, which stays from now on; empty: there is none.
  Path keep_log();

 private:
  struct State;
  explicit WorkerProcess(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace fastvlm
