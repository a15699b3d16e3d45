// The scripts of a bundle, run as a user does; nothing is fetched and no machine is needed.
#include <algorithm>

#include "fastvlm/device/bundle_for_tests.h"
#include "fastvlm/process/process.h"

namespace fastvlm::device {
namespace {

class Scripts : public testing::Test {
 protected:
  void SetUp() override { write_made_up_bundle(folder_); }

  using Environment = std::vector<std::pair<std::string, std::string>>;
  ProcessResult run(const std::string& script, std::vector<std::string> arguments, Environment further = {}) {
    arguments.insert(arguments.begin(), (folder_ / script).string());
    Environment environment = {{"FASTVLM_NPU", "/bin/echo"}, {"XDG_CACHE_HOME", (folder_ / "cache").string()}};
    environment.insert(environment.end(), further.begin(), further.end());
    auto result =
        run_process({.program = "sh", .arguments = std::move(arguments), .environment = std::move(environment), .limits = {.seconds = 60}});
    EXPECT_TRUE(result.ok()) << result.error().message;
    return result.ok() ? *result : ProcessResult{.exit_code = -2};
  }
  // A program that is found before those of this machine.
  Environment with_program(const std::string& name, const std::string& text) {
    std::filesystem::permissions(folder_.write("tools/" + name, "#!/bin/sh\n" + text), std::filesystem::perms::owner_all);
    return {{"PATH", (folder_ / "tools").string() + ":" + std::getenv("PATH")}};
  }
  // The libraries of an SDK, as far as their names and their build go.
  std::string sdk_of(const std::string& build) {
    for (const char* file : {"lib/aarch64-android/libQnnHtp.so", "lib/aarch64-android/libQnnSystem.so",
                             "lib/aarch64-android/libQnnHtpV79Stub.so", "lib/hexagon-v79/unsigned/libQnnHtpV79Skel.so"})
      folder_.write(std::string("sdk/") + file, std::string("ELF\0", 4) + build + std::string("\0\n", 2));
    return (folder_ / "sdk").string();
  }
  FolderForTests folder_;
};

TEST_F(Scripts, AreValidForEveryShell) {
  for (const char* script : {"run.sh", "push.sh"})
    for (const std::string command :
         {"bash -n \"$0\"", "sh -n \"$0\"", "if command -v shellcheck >/dev/null; then shellcheck \"$0\"; fi"}) {
      const auto result = run_process({.program = "sh", .arguments = {"-c", command, (folder_ / script).string()}});
      ASSERT_TRUE(result.ok());
      EXPECT_EQ(result->exit_code, 0) << script << ": " << command << "\n" << result->output;
    }
  for (const char* file : {"run.sh", "push.sh", "README.md"}) {
    const std::string text = folder_.read(file);
    for (const char* mark : {"@CHIP@", "@COMPILER@", "@FILES@", "@WHEELS@", "@SHARED@"})
      EXPECT_EQ(text.find(mark), std::string::npos) << mark;
  }
}

class GenieScripts : public Scripts {
 protected:
  void SetUp() override { write_made_up_genie_bundle(folder_); }
};

TEST_F(GenieScripts, AreValidForEveryShellAndNameWhatGenieNeeds) {
  for (const char* script : {"run.sh", "push.sh"})
    for (const std::string command : {"sh -n \"$0\"", "if command -v shellcheck >/dev/null; then shellcheck \"$0\"; fi"}) {
      const auto result = run_process({.program = "sh", .arguments = {"-c", command, (folder_ / script).string()}});
      ASSERT_TRUE(result.ok());
      EXPECT_EQ(result->exit_code, 0) << script << ": " << command << "\n" << result->output;
    }
  for (const char* file : {"run.sh", "push.sh", "README.md"}) {
    const std::string text = folder_.read(file);
    for (const char* mark : {"@CHIP@", "@FILES@", "@SHARED@", "@CHECK_CHIP@", "@COPY_ORT@", "@MORE_LIBRARIES@", "@ANSWERS@", "@TOKENS@"})
      EXPECT_EQ(text.find(mark), std::string::npos) << mark;
  }
  const std::string linux = run("push.sh", {"--ssh", "root@board", "--dry-run"}).output;
  EXPECT_NE(linux.find("onnxruntime-qnn-2.7.0"), std::string::npos) << linux;
  EXPECT_EQ(linux.find("libonnxruntime.so"), std::string::npos) << linux;
  const ProcessResult android = run("push.sh", {"--adb", "--dry-run", "--sdk", sdk_of("v2.60.1.260101010101")});
  EXPECT_NE(android.output.find("libGenie.so is missing"), std::string::npos) << android.output;
}

// A client that somebody compiled for another machine is not started, and the one for this machine does not lie in the folder.
TEST_F(GenieScripts, RunCompilesTheClientOutsideOfTheFolder) {
  folder_.write("genie/client.cc", "#include <cstdio>\nint main(int n, char** w) { std::puts(n > 1 ? w[n - 1] : \"client: x\"); }\n");
  BundleManifest manifest = manifest_for_tests();
  manifest.runtime = kGenie, manifest.contexts = {{.binary = "genie/vision_64.bin", .graphs = {"vision_64"}}};
  manifest.files = list_bundle_files(folder_.path()).value();
  for (const char* script : {"run.sh", "push.sh", "README.md"}) manifest.files.erase(script);
  folder_.write("run.sh", bundle_scripts(manifest, selftest_for_tests()).at("run.sh"));
  std::filesystem::permissions(folder_.write("genie/client", "\177ELF of another machine"), std::filesystem::perms::owner_all);
  folder_.write("lib/libGenie.so", "");
  folder_.write("lib/libQnnHtp.so", std::string("ELF\0", 4) + kBuildForTests + std::string("\0\n", 2));
  const std::string relative = std::filesystem::relative(folder_ / "lib/libGenie.so").string();
  const ProcessResult asked = run("run.sh", {"--pixels", "p.bin", "--prompt", "What?", "--any-chip"}, {{"GENIE_LIBRARY", relative}});
  EXPECT_EQ(asked.exit_code, 0) << asked.output;
  EXPECT_EQ(asked.output, "What?\n");
  EXPECT_EQ(folder_.read("genie/client"), "\177ELF of another machine");
}

TEST_F(GenieScripts, RunLooksAtTheFilesBeforeGenie) {
  EXPECT_EQ(run("run.sh", {"--check"}).exit_code, 0);
  const ProcessResult none = run("run.sh", {"--selftest", (folder_ / "results").string(), "--any-chip"});
  EXPECT_EQ(none.exit_code, 4);
  EXPECT_NE(none.output.find("libGenie.so is missing; push.sh brings it, or name it in GENIE_LIBRARY"), std::string::npos) << none.output;
  const std::string context = "genie/vision_64.bin", bytes = folder_.read(context);
  std::string other = bytes;
  folder_.write(context, other.replace(other.find("v2.51.0"), 7, "v2.48.0"));
  EXPECT_NE(run("run.sh", {"--check"}).output.find("was compiled with QAIRT v2.48.0"), std::string::npos);
  folder_.write(context, bytes.substr(0, bytes.size() - 7));
  EXPECT_NE(run("run.sh", {"--check"}).output.find("so it was cut off"), std::string::npos);
  std::filesystem::remove(folder_ / context);
  EXPECT_NE(run("run.sh", {"--check"}).output.find("is missing"), std::string::npos);
}

TEST_F(Scripts, RunRefusesADamagedFolderWithOneSentence) {
  const ProcessResult whole = run("run.sh", {"--check"});
  EXPECT_EQ(whole.exit_code, 0) << whole.output;
  const std::string context = "npu/sm8750/vision_64_ctx_qnn.bin", wrapper = "npu/sm8750/vision_64_ctx.onnx";
  const std::string bytes = folder_.read(context);
  const auto with_build = [&](std::string build) {
    std::string other = bytes;
    return other.replace(other.find(kBuildForTests), std::string_view(kBuildForTests).size(), build);
  };
  struct Damage {
    std::string file, bytes, words;
  };
  for (const auto& [file, damaged, words] :
       {Damage{context, with_build("v2.48.0.250501010101"), "was compiled with QAIRT v2.48.0.250501010101, the bundle with v2.51.0"},
        Damage{context, std::string(bytes).replace(3, 1, "X"), "was changed: its SHA-256 is another"},
        Damage{context, bytes.substr(0, bytes.size() - 7), "so it was cut off"},
        Damage{wrapper, "wrapper v2:6:2.51.0:5.51.0:0:57:8:0 end", "is not for sm8750"}, Damage{context, "", "has 0 bytes in the place of"},
        Damage{wrapper, "", "has 0 bytes in the place of"}, Damage{"tokenizer.json", "", "has 0 bytes in the place of 2"}}) {
    const std::string before = folder_.read(file);
    folder_.write(file, damaged);
    const ProcessResult result = run("run.sh", {"--check"});
    EXPECT_EQ(result.exit_code, 3) << words;
    EXPECT_NE(result.output.find(words), std::string::npos) << result.output;
    EXPECT_EQ(std::ranges::count(result.output, '\n'), 1) << result.output;
    folder_.write(file, before);
  }
  std::filesystem::remove(folder_ / context);
  EXPECT_NE(run("run.sh", {"--image", "a", "--prompt", "b"}).output.find("is missing"), std::string::npos);
}

TEST_F(Scripts, RunStartsTheProgramOnTheFolder) {
  const ProcessResult asked = run("run.sh", {"--image", "a b.png", "--prompt", "What's this?", "--any-chip"});
  EXPECT_EQ(asked.exit_code, 0);
  EXPECT_EQ(asked.output, "chat --output-dir " + folder_.path().string() +
                              " --runner htp --target sm8750 --image a b.png --prompt What's this? --max-new-tokens 256\n");
  const ProcessResult tested = run("run.sh", {"--selftest", "r", "--any-chip"});
  EXPECT_EQ(tested.output, "selftest --bundle " + folder_.path().string() + " --results r\n");
  EXPECT_EQ(run("run.sh", {"--image", "a"}).exit_code, 2);
  EXPECT_EQ(run("run.sh", {"--what"}).exit_code, 2);
}

// push.sh --adb --sdk brings no library of ONNX Runtime; the program has its own.
TEST_F(Scripts, RunStartsTheProgramWithARuntimeOfQnnAlone) {
  folder_.write("runtime/onnxruntime_qnn/libQnnHtp.so", std::string("ELF\0", 4) + kBuildForTests + std::string("\0\n", 2));
  const ProcessResult asked = run("run.sh", {"--image", "a.png", "--prompt", "b", "--any-chip"});
  EXPECT_EQ(asked.exit_code, 0) << asked.output;
  EXPECT_NE(asked.output.find("chat --output-dir"), std::string::npos) << asked.output;
}

TEST_F(Scripts, RunRefusesAMachineWithAnotherChipByEveryNameThatItsSystemSays) {
  struct Machine {
    const char* says;
    int code;
  };
  for (const auto& [says, code] : {Machine{"SM8750", 0}, Machine{"sm8750p", 0}, Machine{"Raspberry Pi", 0}, Machine{"", 0},
                                   Machine{"SM8650", 4}, Machine{"QCS6490", 4}, Machine{"X1E80100", 4}, Machine{"SXR2230P", 4}}) {
    const auto machine = with_program("getprop", std::string("echo '") + says + "'\n");
    const ProcessResult asked = run("run.sh", {"--image", "a.png", "--prompt", "b"}, machine);
    EXPECT_EQ(asked.exit_code, code) << says << ": " << asked.output;
    EXPECT_EQ(asked.output.find("this machine has a") != std::string::npos, code != 0) << asked.output;
  }
}

TEST_F(Scripts, RunTakesWholeNumbersOnly) {
  for (const char* number : {"abc", "0", "-1", "2.5", ""}) {
    const ProcessResult asked = run("run.sh", {"--image", "a", "--prompt", "b", "--any-chip", "--max-new-tokens", number});
    EXPECT_EQ(asked.exit_code, 2) << number;
    EXPECT_NE(asked.output.find("must be a whole number from 1"), std::string::npos) << asked.output;
  }
}

// The line of each wheel goes into the file that pip reads.
TEST_F(Scripts, PushPrintsWhatItWrites) {
  const ProcessResult linux = run("push.sh", {"--ssh", "root@board", "--dry-run"});
  EXPECT_NE(linux.output.find("echo 'onnxruntime-qnn=="), std::string::npos) << linux.output;
  EXPECT_NE(linux.output.find("/requirements.txt\n"), std::string::npos) << linux.output;
  EXPECT_NE(linux.output.find("rm -rf "), std::string::npos) << linux.output;
}

TEST_F(Scripts, PushSaysWhichProgramIsNotThere) {
  // A PATH with what looks at the files, and nothing that reaches a machine.
  for (const char* tool : {"cat", "dirname", "grep", "head", "sed", "sha256sum", "wc"})
    with_program(tool, std::string("PATH=") + std::getenv("PATH") + " exec " + tool + " \"$@\"\n");
  const Environment few = {{"PATH", (folder_ / "tools").string()}};
  for (const auto& [way, words] : {std::pair{"--ssh", "there is no ssh on this machine"}, {"--adb", "there is no adb on this machine"}}) {
    const ProcessResult result = run("push.sh", {way, std::string_view(way) == "--ssh" ? "host" : "--no-runtime"}, few);
    EXPECT_EQ(result.exit_code, 4) << result.output;
    EXPECT_NE(result.output.find(words), std::string::npos) << result.output;
  }
}

TEST_F(Scripts, PushPrintsEveryCommandAndRunsNone) {
  const ProcessResult linux = run("push.sh", {"--ssh", "root@board", "--dry-run", "--program", (folder_ / "tokenizer.json").string()});
  EXPECT_EQ(linux.exit_code, 0) << linux.output;
  for (const char* words : {"pip download", "--require-hashes", "--platform=manylinux_2_28_aarch64", "--platform=manylinux_2_34_aarch64",
                            "libonnxruntime.so.1.29.0", "ssh root@board 'mkdir -p fastvlm-sm8750/runtime fastvlm-sm8750/bin'", "scp -q -r",
                            "fastvlm-sm8750/bin/fastvlm-npu", "ssh root@board 'sh fastvlm-sm8750/run.sh --check'"})
    EXPECT_NE(linux.output.find(words), std::string::npos) << words << "\n" << linux.output;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "cache"));

  const ProcessResult android = run("push.sh", {"--adb", "--dry-run", "--sdk", sdk_of("v2.60.1.260101010101"), "--serial", "A1"});
  EXPECT_EQ(android.exit_code, 0) << android.output;
  for (const char* words : {"hexagon-v79/unsigned/libQnnHtpV79Skel.so", "adb -s A1 push", "/data/local/tmp/fastvlm-sm8750"})
    EXPECT_NE(android.output.find(words), std::string::npos) << words << "\n" << android.output;
  EXPECT_EQ(android.output.find("pip"), std::string::npos);
}

TEST_F(Scripts, PushRefusesWhatCannotWorkBeforeAnythingIsSent) {
  struct Case {
    std::vector<std::string> arguments;
    int code;
    const char* words;
  };
  for (const auto& [arguments, code, words] :
       {Case{{"--dry-run"}, 2, "--ssh USER@HOST or --adb"}, Case{{"--adb", "--dry-run"}, 2, "name your QAIRT SDK"},
        Case{{"--adb", "--dry-run", "--sdk", folder_.path().string()}, 4, "is missing"},
        Case{{"--adb", "--dry-run", "--sdk", sdk_of("v2.48.0.250501010101")}, 4, "is of QAIRT v2.48.0.250501010101, but the contexts"},
        Case{{"--ssh", "h", "--dry-run", "--to", "a b"}, 2, "only letters"},
        Case{{"--ssh", "h", "--os", "qnx"}, 2, "neither linux nor android"},
        Case{{"--ssh", "--dry-run"}, 2, "--ssh needs a value, and \"--dry-run\" is none"},
        Case{{"--ssh", "h", "--to", "-x", "--dry-run"}, 2, "--to needs a value"},
        Case{{"--ssh", "h", "--program", "/nowhere", "--dry-run"}, 3, "there is no such file"}}) {
    const ProcessResult result = run("push.sh", arguments);
    EXPECT_EQ(result.exit_code, code) << result.output;
    EXPECT_NE(result.output.find(words), std::string::npos) << result.output;
  }
  folder_.write("tokenizer.json", "");
  EXPECT_EQ(run("push.sh", {"--ssh", "h", "--dry-run"}).exit_code, 3);
}

}  // namespace
}  // namespace fastvlm::device
