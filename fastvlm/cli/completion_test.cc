#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

// What bash offers after these words; the last one is being typed.
std::string offered(const std::vector<std::string>& words) {
  std::string script = std::string("source <(") + FASTVLM_PROGRAM + " completion bash); COMP_WORDS=(fastvlm-npu";
  for (const std::string& word : words) script += " '" + word + "'";
  script += "); COMP_CWD=" + std::to_string(words.size()) + "; _fastvlm_npu; echo \"${COMPREPLY[@]}\"";
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
