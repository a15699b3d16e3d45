#include "fastvlm/process/spawner.h"

#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

#include "fastvlm/process/spawn.h"

namespace fastvlm {
namespace {

[[noreturn]] void become(const Launch& launch, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  std::signal(SIGPIPE, SIG_DFL);
  bool good = ::getppid() == parent;  // else the parent died before prctl
  good = good && (launch.folder == nullptr || ::chdir(launch.folder) == 0);
  good = good && ::dup2(launch.input, 0) >= 0 && ::dup2(launch.output, 1) >= 0 && ::dup2(launch.output, 2) >= 0;
  good = good && (launch.channel < 0 || ::dup2(launch.channel, kChildChannel) >= 0);
  if (good) ::execve(launch.program, launch.arguments, launch.environment);
  const int failure = errno;
  [[maybe_unused]] const ssize_t ignored = ::write(launch.report, &failure, sizeof failure);
  ::_exit(127);
}

// The kernel kills a child with the thread that forked it, not with the process (PR_SET_PDEATHSIG). So one thread forks all
// children and lives as long as the process: they die with us, however we die, and outlive the thread that wanted them.
class Spawner {
 public:
  Spawner() {
    // Signals are for the other threads: a handler that runs here would not interrupt what they wait for.
    sigset_t all, before;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    try {
      std::thread([this] { serve(); }).detach();
    } catch (...) {
      ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
      throw;
    }
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  Result<pid_t> spawn(const Launch& launch) {
    Job job{.launch = launch};
    std::unique_lock lock(mutex_);
    jobs_.push_back(&job);
    wake_.notify_one();
    done_.wait(lock, [&] { return job.done; });
    if (job.child < 0) return bad_environment("cannot start another process: {}", std::strerror(job.failure));
    return job.child;
  }

  bool is_of_this_process() const { return owner_ == ::getpid(); }

 private:
  struct Job {
    const Launch& launch;
    pid_t child = -1;
    int failure = 0;
    bool done = false;
  };

  void serve() {
    std::unique_lock lock(mutex_);
    while (true) {
      wake_.wait(lock, [&] { return !jobs_.empty(); });
      Job& job = *jobs_.front();
      jobs_.pop_front();
      job.child = ::fork();
      if (job.child == 0) become(job.launch, owner_);
      job.failure = errno;
      job.done = true;
      done_.notify_all();
    }
  }

  const pid_t owner_ = ::getpid();
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::deque<Job*> jobs_;
};

// Made when it is first needed and never destroyed; made again in a program that forked without exec, where the thread of
// the parent is missing.
Spawner& spawner() {
  static std::mutex mutex;
  static Spawner* spawner = nullptr;
  std::lock_guard lock(mutex);
  if (spawner == nullptr || !spawner->is_of_this_process()) spawner = new Spawner;
  return *spawner;
}

}  // namespace

Result<pid_t> fork_and_exec(const Launch& launch) {
  try {
    return spawner().spawn(launch);
  } catch (const std::system_error& error) {
    return bad_environment("cannot start another process: {}", error.what());
  }
}

}  // namespace fastvlm
