// check-ops and inspect on ONNX files from the field: each was reported to end the program, or to be judged wrongly.
#include "fastvlm/cli/program_for_tests.h"

namespace fastvlm::cli {
namespace {

std::string file(const std::string& name) { return (kTestData / "onnx" / name).string(); }

ProcessResult check(const std::string& name, std::vector<std::string> more = {}) {
  std::vector<std::string> arguments = {"check-ops", file(name), "--target", "sm8750"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return run_program(std::move(arguments));
}

struct FieldCase {
  const char* file;
  int code;
  const char* said;
};

TEST(CheckOpsVerb, FilesThatEndedTheProgramGetAnAnswer) {
  for (const auto& [name, code, said] :
       {FieldCase{"crash_erf_mul_no_output.onnx", 1, "Erf exists only inside GELU"}, FieldCase{"crash_scan.onnx", 1, "Scan"},
        FieldCase{"crash_convtranspose.onnx", -1, "not known: shapes between the nodes"},
        FieldCase{"crash_bitflip_layernorm.onnx", -1, "LayerNormalization"}}) {
    const ProcessResult result = check(name);
    EXPECT_EQ(result.signal, 0) << name << result.output;
    if (code >= 0) {
      EXPECT_EQ(result.exit_code, code) << name << result.output;
    }
    EXPECT_NE(result.output.find(said), std::string::npos) << name << ":\n" << result.output;
    EXPECT_EQ(run_program({"inspect", file(name)}).signal, 0) << name;
  }
}

TEST(CheckOpsVerb, FilesThatWereMisjudgedAreJudgedAsTheBackendDoes) {
  for (const auto& [name, code, said] :
       {FieldCase{"dim_zero.onnx", 1, "has no elements"}, FieldCase{"stft.onnx", 1, "compiler crashes on it"},
        FieldCase{"static_but_question_rms.onnx", 0, "accepted"}, FieldCase{"dropout_unused_mask.onnx", 0, "accepted"},
        FieldCase{"opset_6.onnx", 1, "opset 6: the backend takes 7"}, FieldCase{"dq_int8_pc.onnx", 1, "a scale for each channel"},
        FieldCase{"dynquant.onnx", 1, "no such operator"}, FieldCase{"noshape.onnx", 1, "the inputs are not fixed"},
        FieldCase{"if.onnx", 1, "Acosh in a branch of If"}}) {
    const ProcessResult result = check(name);
    EXPECT_EQ(result.exit_code, code) << name << ":\n" << result.output;
    EXPECT_NE(result.output.find(said), std::string::npos) << name << ":\n" << result.output;
  }
}

TEST(CheckOpsVerb, FreezeAnswersForFixedInputs) {
  EXPECT_EQ(check("noshape.onnx", {"--freeze", "x=1x64"}).exit_code, 0);
  const ProcessResult unknown = check("noshape.onnx", {"--freeze", "pixels=1x64"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_NE(unknown.output.find("no such symbol or input; it has symbols: none; inputs: x"), std::string::npos) << unknown.output;
}

TEST(CheckOpsVerb, CompilesTheNamedFileAndAnswersForACompilerThatDies) {
  const Json named = run_json({"check-ops", file("swap/m.pb"), "--target", "sm8750", "--compile"}, "", 1);
  EXPECT_FALSE(named["backend"]["accepted"]);
  EXPECT_TRUE(run_json({"check-ops", file("swap/m.onnx"), "--target", "sm8750", "--compile"})["backend"]["accepted"]);
  const Json crash = run_json({"check-ops", file("dim_zero.onnx"), "--target", "sm8750", "--compile"}, "", 1);
  EXPECT_EQ(crash["nodes"].size(), 1u);
  EXPECT_NE(crash["backend"]["sentence"].get<std::string>().find("the compiler crashed on it"), std::string::npos) << crash;
  EXPECT_TRUE(
      run_json({"check-ops", file("noshape.onnx"), "--target", "sm8750", "--compile", "--freeze", "x=1x64"})["backend"]["accepted"]);
}

}  // namespace
}  // namespace fastvlm::cli
