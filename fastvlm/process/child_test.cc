#include "fastvlm/process/child.h"

#include <signal.h>

#include <thread>

#include "fastvlm/base/folder_for_tests.h"

namespace fastvlm {
namespace {

// The script sees the number of its end of the channel as $1.
Result<Child> shell(const FolderForTests& folder, const std::string& script) {
  return Child::start("/bin/bash", {"-c", script, "child"}, folder / "log");
}

std::string received(Channel& channel, std::size_t size) {
  std::string text(size, '\0');
  return channel.receive(std::as_writable_bytes(std::span(text.data(), text.size()))) ? text : "nothing";
}

TEST(Child, BytesMakeTheRoundTripThroughTheChannel) {
  FolderForTests folder;
  auto child = shell(folder, "exec cat <&$1 >&$1");
  ASSERT_TRUE(child.ok());
  std::string bytes(100000, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7);
  bool sent = false;
  std::jthread sender([&] { sent = child->channel().send(as_bytes(bytes)); });
  EXPECT_EQ(received(child->channel(), bytes.size()), bytes);
  sender.join();
  EXPECT_TRUE(sent);
}

TEST(Child, WhatItPrintsGoesToTheLog) {
  FolderForTests folder;
  auto child = shell(folder, "echo out; echo err >&2; printf done >&$1");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(received(child->channel(), 4), "done");
  EXPECT_EQ(child->describe_end(), "ended with exit code 0");
  EXPECT_EQ(folder.read("log"), "out\nerr\n");
}

TEST(Child, HowItEndedIsASentence) {
  struct Case {
    const char* script;
    const char* sentence;
  };
  const Case cases[] = {
      {"exit 3", "ended with exit code 3"},
      {"kill -SEGV $$", "was killed by signal 11 (Segmentation fault)"},
      {"kill -KILL $$", "was killed by signal 9 (Killed)"},
      {"exec /no/such/program 2>/dev/null", "ended with exit code 127"},
  };
  for (const Case& c : cases) {
    FolderForTests folder;
    auto child = shell(folder, c.script);
    ASSERT_TRUE(child.ok());
    EXPECT_EQ(received(child->channel(), 1), "nothing") << c.script;
    EXPECT_EQ(child->describe_end(), c.sentence) << c.script;
    EXPECT_EQ(child->describe_end(), c.sentence) << "asked again: " << c.script;
  }
}

TEST(Child, AProgramThatIsNotThereEndsAtOnce) {
  FolderForTests folder;
  auto child = Child::start(folder / "missing", {}, folder / "log");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(received(child->channel(), 1), "nothing");
  EXPECT_EQ(child->describe_end(), "ended with exit code 127");
}

TEST(Child, SendingToOneThatIsGoneIsFalseAndNoSignal) {
  FolderForTests folder;
  auto child = shell(folder, "exit 0");
  ASSERT_TRUE(child.ok());
  EXPECT_EQ(received(child->channel(), 1), "nothing");
  EXPECT_FALSE(child->channel().send(as_bytes("hello")));
}

TEST(Child, ALogThatCannotBeWrittenIsAnErrorOfTheEnvironment) {
  FolderForTests folder;
  auto child = Child::start("/bin/true", {}, folder / "no/such/folder/log");
  ASSERT_FALSE(child.ok());
  EXPECT_EQ(child.error().kind, ErrorKind::kEnvironment);
  EXPECT_TRUE(child.error().message.starts_with((folder / "no/such/folder/log").string()));
}

TEST(Child, IsKilledWhenNobodyHoldsItAnyMore) {
  FolderForTests folder;
  pid_t process = 0;
  {
    auto child = shell(folder, "printf '%8d' $$ >&$1; exec sleep 1000");
    ASSERT_TRUE(child.ok());
    process = std::stoi(received(child->channel(), 8));
    EXPECT_EQ(::kill(process, 0), 0);
    Child moved = std::move(*child);
    EXPECT_EQ(::kill(process, 0), 0);
  }
  EXPECT_EQ(::kill(process, 0), -1);
}

}  // namespace
}  // namespace fastvlm
