#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

// What bash offers after these words; the last one is being typed.
std::string offered(const std::vector<std::string>& words) {
  std::string script = std::string("source <(") + FASTVLM_PROGRAM + " completion bash); COMP_WORDS=(fastvlm-npu";
  for (const std::string& word : words) script += " '" + word + "'";
  script += "); COMP_CWORD=" + std::to_string(words.size()) + "; _fastvlm_npu; echo \"${COMPREPLY[@]}\"";
  auto result = run_process({.program = "/bin/bash", .arguments = {"-c", script}});
  EXPECT_TRUE(result.ok() && result->exit_code == 0);
  return result.ok() ? result->output : "";
}

struct CompletionCase {
  std::vector<std::string> words;
  const char* offered;
};
const CompletionCase kCompletionCases[] = {
    {{"exp"}, "export\n"},
    {{"ver"}, "verify version\n"},
    {{"export", "--dt"}, "--dtype\n"},
    {{"export", "--dtype", ""}, "float32 float16\n"},
    {{"--threads", "2", "chat", "--target", "sm875"}, "sm8750\n"},
    {{"make-checkpoint", "--size", ""}, "tiny 0.5b 1.5b 7b\n"},
    {{"completion", "z"}, "zsh\n"},
    {{"export", "--context", ""}, "\n"},
    {{"inspect", "--q"}, "--qnn-plugin --quiet\n"},
};

TEST(Completion, BashOffersVerbsOptionsAndValues) {
  for (const CompletionCase& row : kCompletionCases) EXPECT_EQ(offered(row.words), row.offered) << row.words.back();
}

TEST(Completion, BashOffersFoldersOnlyWhereAFolderIsWanted) {
  FolderForTests folder;
  folder.write("file.onnx", "x");
  std::filesystem::create_directory(folder.path() / "folder");
  const std::string start = (folder.path() / "f").string();
  EXPECT_EQ(offered({"export", "--model-dir", start}), start + "older\n");
  EXPECT_NE(offered({"inspect", start}).find("file.onnx"), std::string::npos);
}

// What a script of zsh prints that types `line` into a shell of its own.
std::string shown_in_terminal(const Path& script, const Path& completion, const char* line) {
  auto result =
      run_process({.program = "/usr/bin/zsh", .arguments = {"-f", script.string(), completion.string(), line}, .limits = {.seconds = 20}});
  EXPECT_TRUE(result.ok()) << line;
  return result.ok() ? result->output : "";
}

// bash sets the words in a terminal only: zsh makes one. The program is a function there that says what it was given.
constexpr const char* kBashTrial = R"(
zmodload zsh/zpty
zpty b TERM=dumb bash --norc --noprofile -i
zpty -w b "PS1=; source '$1'; fastvlm-npu() { printf '=<%s>=' \"\$*\"; }"
zpty -w b 'fastvlm-npu ready'
zpty -r b out '*=<ready>=*'
zpty -w -n b "$2"$'\t\n'
zpty -r b out '*=<[^%]*>=*'
print -r -- "$out"
zpty -d b
)";

TEST(Completion, BashCompletesWhatIsTypedInATerminal) {
  ASSERT_TRUE(std::filesystem::exists("/usr/bin/zsh")) << "scripts/setup.sh installs zsh";
  FolderForTests folder;
  folder.write("trial.zsh", kBashTrial);
  folder.write("completion", run_program({"completion", "bash"}).output);
  for (const auto& [line, given] :
       std::vector<std::pair<const char*, const char*>>{{"fastvlm-npu exp", "export"},
                                                        {"fastvlm-npu export --dt", "export --dtype"},
                                                        {"fastvlm-npu chat --target sm875", "chat --target sm8750"},
                                                        {"fastvlm-npu completion z", "completion zsh"},
                                                        {"fastvlm-npu ver", "ver"}}) {
    const std::string shown = shown_in_terminal(folder.path() / "trial.zsh", folder.path() / "completion", line);
    EXPECT_NE(shown.find(fmt::format("=<{}>=", given)), std::string::npos) << line << ":\n" << shown;
  }
}

// What fish offers after a line: the word before the tab of each row.
std::string offered_by_fish(const std::string& line) {
  const std::string script = std::string(FASTVLM_PROGRAM) + " completion fish | source; complete -C '" + line + "' | string split -f1 \\t";
  auto result = run_process({.program = "/usr/bin/fish", .arguments = {"--no-config", "-c", script}});
  EXPECT_TRUE(result.ok()) << line;
  return result.ok() ? result->output : "";
}

TEST(Completion, FishOffersVerbsOptionsAndValues) {
  ASSERT_TRUE(std::filesystem::exists("/usr/bin/fish")) << "scripts/setup.sh installs fish";
  for (const auto& [line, words] : std::vector<std::pair<const char*, const char*>>{{"fastvlm-npu exp", "export\n"},
                                                                                    {"fastvlm-npu export --dt", "--dtype\n"},
                                                                                    {"fastvlm-npu export --dtype ", "float16\nfloat32\n"},
                                                                                    {"fastvlm-npu chat --target sm875", "sm8750\n"},
                                                                                    {"fastvlm-npu completion ", "bash\nfish\nzsh\n"},
                                                                                    {"fastvlm-npu export --context ", ""},
                                                                                    {"fastvlm-npu inspect --q", "--qnn-plugin\n--quiet\n"}})
    EXPECT_EQ(offered_by_fish(line), words) << line;
}

// zsh completes in a terminal only: one is made with zpty, the script says itself what it offers.
constexpr const char* kZshTrial = R"(
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "PS1=; stty -echo columns 200; unset zle_bracketed_paste; fpath=(\"$1\" \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w z 'compadd() { local -a hits; builtin compadd -A hits "$@"; (( ${#hits} )) && print -rl -- "=${(@)^hits}="; builtin compadd "$@" }'
zpty -w z 'done_now() { print "<"END">" }; comppostfuncs=(done_now); bindkey "^I" complete-word; print "<"READY">"'
zpty -r z out '*<READY>*'
zpty -w -n z "$2"$'\t'
zpty -r z out '*<END>*'
print -r -- "$out"
zpty -d z
)";

TEST(Completion, ZshOffersVerbsOptionsAndValues) {
  ASSERT_TRUE(std::filesystem::exists("/usr/bin/zsh")) << "scripts/setup.sh installs zsh";
  FolderForTests folder;
  folder.write("trial.zsh", kZshTrial);
  folder.write("_fastvlm-npu", run_program({"completion", "zsh"}).output);
  for (const auto& [line, word] : std::vector<std::pair<const char*, const char*>>{{"fastvlm-npu exp", "export"},
                                                                                   {"fastvlm-npu export --dt", "--dtype"},
                                                                                   {"fastvlm-npu export --dtype ", "float16"},
                                                                                   {"fastvlm-npu chat --target sm875", "sm8750"},
                                                                                   {"fastvlm-npu completion ", "fish"},
                                                                                   {"fastvlm-npu make-checkpoint --size ", "7b"}}) {
    const std::string shown = shown_in_terminal(folder.path() / "trial.zsh", folder.path(), line);
    EXPECT_NE(shown.find(fmt::format("={}=", word)), std::string::npos) << line << ":\n" << shown;
  }
}

// A sample of the options, from several verbs and kinds.
TEST(Completion, OptionsStandInEveryScriptAndInTheManual) {
  const std::string bash = run_program({"completion", "bash"}).output, zsh = run_program({"completion", "zsh"}).output;
  const std::string fish = run_program({"completion", "fish"}).output, man = run_program({"man"}).output;
  for (const char* option : {"model-dir", "image-sizes", "no-compile", "ort-library", "threads", "max-new-tokens", "fetch"}) {
    const std::string name = option;
    EXPECT_NE(bash.find("--" + name), std::string::npos) << name;
    EXPECT_NE(zsh.find("--" + name + "["), std::string::npos) << name;
    EXPECT_NE(fish.find("-l " + name + " "), std::string::npos) << name;
    std::string dashes = "--" + name;
    for (std::size_t at = 0; (at = dashes.find('-', at)) != std::string::npos; at += 2) dashes.insert(at, "\\");
    EXPECT_NE(man.find(dashes), std::string::npos) << dashes;
  }
}

}  // namespace
}  // namespace fastvlm::cli
