#include "fastvlm/process/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/model_error.h"

namespace fastvlm {
namespace {

Message number(std::int64_t value) { return {.header = {{"number", value}}}; }

// Counts its requests, so that a second one shows that the worker still lives.
RequestHandler make_counter() {
  return [count = std::int64_t{0}](Message request) mutable -> Result<Message> {
    Message answer = number(++count);
    answer.parts = std::move(request.parts);
    return answer;
  };
}

// Does what the request says, as foreign code may.
Result<Message> misbehave(const Message& request) {
  const std::string how = request.header.value("how", "");
  std::printf("%s\n", request.header.value("print", "").c_str());
  std::fflush(stdout);
  if (how == "refuse") return bad_usage("the request is refused");
  if (how == "throw") throw std::runtime_error("thrown text");
  if (how == "throw model error") throw ModelError("the model does not fit");
  if (how == "crash") ::raise(SIGSEGV);
  if (how == "exit") ::_exit(7);
  if (how == "sleep") ::sleep(1000);
  if (how == "close") ::close(kChildChannel), ::sleep(1000);
  if (how == "write nonsense") {
    const std::string text = request.header["text"];
    if (::write(kChildChannel, text.data(), text.size()) < 0) return bad_environment("cannot write");
    ::sleep(1000);
  }
  if (how == "take memory") {
    std::vector<std::vector<char>> taken;
    while (true) taken.emplace_back(1 << 20, 'x');
  }
  return number(0);
}

// Starts a child, from a thread that ends if wanted; asked again, it dies.
RequestHandler make_parent() {
  return [child = std::shared_ptr<Process>()](const Message& request) mutable -> Result<Message> {
    if (request.header.contains("die")) ::raise(SIGKILL);
    Status status;
    auto start = [&] {
      auto started = Process::start({.program = "sleep", .arguments = {"1000"}});
      if (started.ok())
        child = std::make_shared<Process>(*std::move(started));
      else
        status = started.error();
    };
    if (request.header.value("in a thread", false))
      std::thread(start).join();
    else
      start();
    if (!status.ok()) return status.error();
    return number(child->id());
  };
}

constexpr Worker kWorkers[] = {
    {"__parent", make_parent},
    {"__counter", make_counter},
    {"__foreign", [] { return RequestHandler(misbehave); }},
};

WorkerOptions options(const std::string& worker, const Path& log_folder = {}) {
  return {.program = own_executable(), .worker = worker, .called = "the worker", .log_folder = log_folder};
}

// The Error of a worker that is asked to misbehave.
Error error_of(const Json& request, WorkerOptions chosen = options("__foreign"), bool lost = true) {
  auto worker = WorkerProcess::start(chosen);
  if (!worker.ok()) return worker.error();
  auto answer = worker->ask(request);
  EXPECT_EQ(worker->is_lost(), lost) << request;
  return answer.ok() ? Error{ErrorKind::kCheckFailed, "an answer"} : std::move(answer).error();
}

// True once the process is gone or a zombie that its new parent has yet to reap.
bool is_gone(pid_t process) {
  std::ifstream file(fmt::format("/proc/{}/stat", process));
  std::string stat((std::istreambuf_iterator<char>(file)), {});
  const auto name_end = stat.rfind(')');
  return name_end == std::string::npos || stat.substr(name_end, 3).ends_with("Z") || stat.substr(name_end, 3).ends_with("X");
}
bool goes_away(pid_t process) {
  for (int tries = 0; tries < 1000; ++tries) {
    if (is_gone(process)) return true;
    ::usleep(10000);
  }
  return false;
}

std::string eight_bytes(std::uint64_t value) { return {reinterpret_cast<const char*>(&value), sizeof value}; }

TEST(Worker, AnswersOneRequestAfterAnotherAndKeepsItsState) {
  auto worker = WorkerProcess::start(options("__counter"));
  ASSERT_TRUE(worker.ok()) << worker.error().message;
  for (std::int64_t count = 1; count <= 3; ++count) {
    auto answer = worker->ask(Json::object());
    ASSERT_TRUE(answer.ok()) << answer.error().message;
    EXPECT_EQ(answer->header["number"], count);
  }
  const ProcessEnd end = worker->finish();
  EXPECT_EQ(end.exit_code, 0);
  EXPECT_EQ(end.signal, 0);
  EXPECT_GT(end.peak_rss_bytes, 1u << 20);
}

TEST(Worker, PartsOfManyMegabytesMakeTheRoundTrip) {
  auto worker = WorkerProcess::start(options("__counter"));
  ASSERT_TRUE(worker.ok());
  std::vector<std::byte> large(std::size_t{70} << 20), small(3, std::byte{7});
  for (std::size_t i = 0; i < large.size(); i += 4096) large[i] = static_cast<std::byte>(i >> 12);
  const Bytes parts[] = {large, {}, small};
  auto answer = worker->ask(Json::object(), parts);
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  ASSERT_EQ(answer->parts.size(), 3u);
  EXPECT_TRUE(answer->parts[0] == large);
  EXPECT_TRUE(answer->parts[1].empty());
  EXPECT_TRUE(answer->parts[2] == small);
}

TEST(Worker, ItsErrorsComeBackAsTheyAreAndItLivesOn) {
  auto worker = WorkerProcess::start(options("__foreign"));
  ASSERT_TRUE(worker.ok());
  struct Case {
    const char* how;
    ErrorKind kind;
    const char* message;
  };
  for (const Case& c :
       {Case{"refuse", ErrorKind::kUsage, "the request is refused"},
        Case{"throw model error", ErrorKind::kBadInput, "the model does not fit"}, Case{"throw", ErrorKind::kEnvironment, "thrown text"}}) {
    auto answer = worker->ask({{"how", c.how}});
    ASSERT_FALSE(answer.ok());
    EXPECT_EQ(answer.error().kind, c.kind) << c.how;
    EXPECT_EQ(answer.error().message, c.message);
    EXPECT_FALSE(worker->is_lost());
  }
  EXPECT_TRUE(worker->ask({{"how", "well"}}).ok());
}

TEST(Worker, ACrashIsASentenceWithTheLastLineAndTheLogStays) {
  FolderForTests folder;
  const Error error = error_of({{"how", "crash"}, {"print", "first\nlast words"}}, options("__foreign", folder.path()));
  EXPECT_EQ(error.kind, ErrorKind::kEnvironment);
  const std::string start = "the worker was killed by signal 11 (Segmentation fault); its last line was: last words; its log is ";
  ASSERT_TRUE(error.message.starts_with(start)) << error.message;
  EXPECT_EQ(read_file(error.message.substr(start.size()), 1000).value(), "first\nlast words\n");
  EXPECT_EQ(error_of({{"how", "exit"}, {"print", "bye"}}).message, "the worker ended with exit code 7; its last line was: bye");
  EXPECT_EQ(error_of({{"how", "exit"}}).message, "the worker ended with exit code 7");
}

TEST(Worker, TheLogOfOneThatDidWellGoes) {
  FolderForTests folder;
  {
    auto worker = WorkerProcess::start(options("__foreign", folder.path()));
    ASSERT_TRUE(worker.ok());
    ASSERT_TRUE(worker->ask({{"print", "something"}}).ok());
    EXPECT_FALSE(std::filesystem::is_empty(folder.path()));
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Worker, ADamagedAnswerIsOneSentence) {
  const std::string header = R"({"error":{"kind":"three","message":[]}})";
  struct Case {
    const char* name;
    std::string text, reason;
  };
  const Case cases[] = {
      {"a header of a petabyte", eight_bytes(std::uint64_t{1} << 50) + eight_bytes(0), "a header of 1125899906842624 bytes, 0 parts"},
      {"too many parts", eight_bytes(2) + eight_bytes(1 << 20), "a header of 2 bytes, 1048576 parts"},
      {"a part of a petabyte", eight_bytes(2) + eight_bytes(1) + eight_bytes(std::uint64_t{1} << 50), "a part of 1125899906842624 bytes"},
      {"no JSON", eight_bytes(3) + eight_bytes(0) + "{]}", "its header: not valid JSON at byte 2"},
      {"no object", eight_bytes(2) + eight_bytes(0) + "[]", "its header is no object"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(error_of({{"how", "write nonsense"}, {"text", c.text}}).message,
              "the worker gave an answer that cannot be read: the message makes no sense (" + c.reason + ")")
        << c.name;
  EXPECT_EQ(
      error_of({{"how", "write nonsense"}, {"text", eight_bytes(header.size()) + eight_bytes(0) + header}}, options("__foreign"), false)
          .message,
      "the worker: gave a reason that cannot be read");
}

TEST(Worker, OneThatClosesItsChannelIsStopped) {
  EXPECT_EQ(error_of({{"how", "close"}}).message, "the worker closed its channel without an answer and was stopped");
}

TEST(Worker, LimitsOfTimeAndMemoryAreKept) {
  WorkerOptions slow = options("__foreign"), large = slow;
  slow.limits.seconds = 0.3;
  EXPECT_EQ(error_of({{"how", "sleep"}}, slow).message, "the worker did not answer within 0.3 seconds and was stopped");
  large.limits.memory_bytes = std::uint64_t{400} << 20;
  const Error error = error_of({{"how", "take memory"}}, large);
  EXPECT_EQ(error.kind, ErrorKind::kEnvironment);
  EXPECT_EQ(error.message, "the worker took more than 400 MB of memory and was stopped");
}

TEST(Worker, ItsEnvironmentIsOursAndWhatIsAdded) {
  WorkerOptions chosen = options("ADSP_LIBRARY_PATH");
  chosen.program = "printenv";
  chosen.environment = {{"ADSP_LIBRARY_PATH", "/libraries of the NPU"}};
  EXPECT_EQ(error_of({}, chosen).message, "the worker ended with exit code 0; its last line was: /libraries of the NPU");
}

TEST(Worker, ItHasATemporaryFolderOfItsOwnWhichGoesWithIt) {
  FolderForTests folder;
  WorkerOptions chosen = options("TMPDIR", folder.path());
  chosen.program = "printenv";
  const std::string start = "the worker ended with exit code 0; its last line was: ", message = error_of({}, chosen).message;
  ASSERT_TRUE(message.starts_with(start)) << message;
  const Path own = message.substr(start.size(), message.find(';', start.size()) - start.size());
  EXPECT_TRUE(own.filename().string().starts_with(".fastvlm-npu-")) << own;
  EXPECT_EQ(own.parent_path(), folder.path());
  EXPECT_FALSE(std::filesystem::exists(own));
}

TEST(Worker, ARequestedStopEndsIt) {
  std::stop_source stop;
  WorkerOptions chosen = options("__foreign");
  chosen.limits.stop = stop.get_token();
  std::jthread later([&] { ::usleep(200000), stop.request_stop(); });
  EXPECT_EQ(error_of({{"how", "sleep"}}, chosen).kind, ErrorKind::kInterrupted);
}

TEST(Worker, AProgramThatCannotServeIsDescribed) {
  FolderForTests folder;
  WorkerOptions missing = options("__counter", folder.path()), deaf = options("__counter"), unknown = options("__counter");
  missing.program = folder / "missing";
  EXPECT_EQ(error_of({}, missing).message, missing.program.string() + ": cannot start it (No such file or directory)");
  EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << "no log is left";
  deaf.program = "/bin/true";
  EXPECT_EQ(error_of({}, deaf).message, "the worker ended with exit code 0");
  EXPECT_EQ(error_of({}, options("__counter", folder / "no/such/folder")).message.substr(0, folder.path().string().size()),
            folder.path().string());
}

// A worker that has a child of its own dies by SIGKILL.
void expect_child_to_die_with_its_parent(bool started_in_a_thread) {
  auto parent = WorkerProcess::start(options("__parent"));
  ASSERT_TRUE(parent.ok());
  auto answer = parent->ask({{"in a thread", started_in_a_thread}});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  const pid_t child = answer->header["number"];
  ::usleep(200000);
  EXPECT_FALSE(is_gone(child)) << "it outlives its thread";
  auto end = parent->ask({{"die", true}});
  ASSERT_FALSE(end.ok());
  EXPECT_EQ(end.error().message, "the worker was killed by signal 9 (Killed)");
  EXPECT_TRUE(goes_away(child));
}

TEST(Process, AChildDiesWhenItsParentIsKilled) { expect_child_to_die_with_its_parent(false); }
TEST(Process, AChildOutlivesTheThreadThatStartedItAndDiesWithTheProcess) { expect_child_to_die_with_its_parent(true); }

TEST(Process, TheWholeGroupGoesWithItsOwner) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Descriptor reading(ends[0]), writing(ends[1]);
  pid_t grandchild = 0;
  {
    auto process = Process::start({.program = "sh", .arguments = {"-c", "sleep 1000 & printf %010d $!; wait"}, .output = writing.get()});
    ASSERT_TRUE(process.ok());
    std::string digits(10, '\0');
    ASSERT_EQ(::read(reading.get(), digits.data(), digits.size()), 10);
    grandchild = std::stoi(digits);
    EXPECT_FALSE(is_gone(grandchild));
  }
  EXPECT_TRUE(goes_away(grandchild));
}

}  // namespace
}  // namespace fastvlm

// The test program is its own worker.
int main(int argc, char** argv) {
  if (auto code = fastvlm::serve_worker(argc, argv, fastvlm::kWorkers)) return *code;
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
