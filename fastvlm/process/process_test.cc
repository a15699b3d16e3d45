#include "fastvlm/process/process.h"

#include <gtest/gtest.h>

#include <csignal>

#include "fastvlm/base/interrupt.h"

namespace fastvlm {
namespace {

ProcessOptions shell(std::string script) { return {.program = "sh", .arguments = {"-c", std::move(script)}}; }

TEST(Process, CapturesBothStreamsInOrder) {
  auto result = run_process(shell("echo one; echo two >&2; echo three"));
  ASSERT_TRUE(result.ok()) << result.error().message;
  EXPECT_EQ(result->output, "one\ntwo\nthree\n");
  EXPECT_TRUE(result->ok());
}

TEST(Process, ReportsTheExitCodeWithTheLastLine) {
  auto result = run_process(shell("echo first; echo 'no licence'; exit 7"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->exit_code, 7);
  EXPECT_FALSE(result->ok());
  EXPECT_EQ(describe(*result), "ended with exit code 7; its last line was: no licence");
}

TEST(Process, ReportsTheSignalThatKilledIt) {
  auto result = run_process(shell("kill -SEGV $$"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->signal, SIGSEGV);
  EXPECT_EQ(result->exit_code, -1);
  EXPECT_EQ(describe(*result), "was killed by signal 11 (Segmentation fault)");
}

TEST(Process, ArgumentsReachTheProgramUnchanged) {
  auto result = run_process({.program = "printf", .arguments = {"%s|", "a b", "$HOME", "'\"", ""}});
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output, "a b|$HOME|'\"||");
}

TEST(Process, PassesInputEnvironmentAndFolder) {
  ProcessOptions options = shell("cat; echo \"$FASTVLM_WORD\"; pwd");
  options.input = "typed\n";
  options.environment = {{"FASTVLM_WORD", "heard"}};
  options.working_folder = "/";
  auto result = run_process(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output, "typed\nheard\n/\n");
}

TEST(Process, InputThatIsNotReadDoesNoHarm) {
  ProcessOptions options = shell("exit 0");
  options.input = std::string(8 << 20, 'x');
  auto result = run_process(options);
  ASSERT_TRUE(result.ok());
  EXPECT_TRUE(result->ok());
}

TEST(Process, HandsOutLinesAndKeepsALog) {
  Path log = Path(testing::TempDir()) / "process_test.log";
  std::vector<std::string> lines;
  ProcessOptions options = shell("printf 'a\\nb\\rc'");
  options.log_file = log;
  options.on_output_line = [&](std::string_view line) { lines.emplace_back(line); };
  auto result = run_process(options);
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(lines, (std::vector<std::string>{"a", "b", "c"}));
  auto text = read_file(log, 100);
  ASSERT_TRUE(text.ok());
  EXPECT_EQ(*text, "a\nb\rc");
  std::filesystem::remove(log);
}

TEST(Process, KeepsTheEndOfALongOutput) {
  auto result = run_process(shell("head -c 20000000 /dev/zero | tr '\\0' x; echo end"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output.size(), std::size_t{4} << 20);
  EXPECT_TRUE(result->output.ends_with("xend\n"));
}

TEST(Process, StopsTheWholeGroupAtTheTimeLimit) {
  ProcessOptions options = shell("sleep 60 & echo $!; trap '' TERM; sleep 60");
  options.limits.seconds = 0.2;
  pid_t grandchild = 0;
  options.on_output_line = [&](std::string_view line) { grandchild = std::stoi(std::string(line)); };
  auto result = run_process(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(result.error().message, "sh did not end within 0.2 seconds and was stopped");
  ASSERT_GT(grandchild, 0);
  // It is dead, though its new parent may not have reaped it yet.
  for (int tries = 0; tries < 200 && ::kill(grandchild, 0) == 0; ++tries) {
    auto state = run_process(shell(fmt::format("cut -d' ' -f3 /proc/{}/stat 2>/dev/null || echo Z", grandchild)));
    ASSERT_TRUE(state.ok());
    if (state->output == "Z\n") return;
  }
  EXPECT_NE(::kill(grandchild, 0), 0);
}

TEST(Process, AProgramLeftBehindDoesNotHoldUsUp) {
  auto result = run_process(shell("sleep 600 & echo started"));
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->output, "started\n");
}

TEST(Process, AnInterruptEndsIt) {
  ProcessOptions options = shell("echo ready; sleep 600");
  std::stop_source stop;
  const StopScope scope(stop.get_token());
  options.on_output_line = [&](std::string_view) { stop.request_stop(); };
  auto result = run_process(options);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().kind, ErrorKind::kInterrupted);
}

TEST(Process, MeasuresTheMemoryOfTheChild) {
  // dd holds one block of 64 MiB.
  auto result = run_process({.program = "dd", .arguments = {"if=/dev/zero", "of=/dev/null", "bs=64M", "count=4"}});
  ASSERT_TRUE(result.ok());
  EXPECT_GT(result->peak_rss_bytes, std::uint64_t{60} << 20);
  // A forked child begins with the size of its parent, which the address sanitizer makes large.
#ifndef __SANITIZE_ADDRESS__
  EXPECT_LT(result->peak_rss_bytes, std::uint64_t{200} << 20);
#endif
}

TEST(Process, AMissingProgramIsOneSentence) {
  auto by_name = run_process({.program = "no-such-program-here"});
  ASSERT_FALSE(by_name.ok());
  EXPECT_EQ(by_name.error().message, "no-such-program-here: there is no such program on the PATH; install it");
  auto by_path = run_process({.program = "/nowhere/program"});
  ASSERT_FALSE(by_path.ok());
  EXPECT_EQ(by_path.error().kind, ErrorKind::kEnvironment);
  EXPECT_EQ(by_path.error().message, "/nowhere/program: cannot start it (No such file or directory)");
}

TEST(Process, KnowsItsOwnExecutable) { EXPECT_EQ(own_executable().filename(), "process_test"); }

}  // namespace
}  // namespace fastvlm
