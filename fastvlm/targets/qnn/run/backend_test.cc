#include "fastvlm/targets/qnn/run/backend.h"

#include <gtest/gtest.h>

namespace fastvlm::qnn {
namespace {

TEST(ExplainFailure, KnowsCodesAndPhrasesAndWhetherTheMachineIsToBlame) {
  struct Case {
    const char* message;
    const char* log;
    ErrorKind kind;
    const char* words;
  };
  for (const Case& c : {
           Case{"Failed to finalize QNN graph. Error code: 1002", "", ErrorKind::kBadInput, "(error 1002)"},
           Case{"refused", "[E] load failed with err 5000\n", ErrorKind::kBadInput, "(error 5000)"},
           Case{"Failed to write context cache file.", "", ErrorKind::kEnvironment, "the disk is full"},
           Case{"std::bad_alloc", "", ErrorKind::kEnvironment, "memory ran short"},
           Case{"something else", "", ErrorKind::kBadInput, "something else"},
       }) {
    const Error error = explain_failure({ErrorKind::kBadInput, c.message}, c.log, "folder/decoder.onnx");
    EXPECT_EQ(error.kind, c.kind) << c.message;
    EXPECT_TRUE(error.message.starts_with("decoder.onnx: the backend refused it")) << error.message;
    EXPECT_NE(error.message.find(c.words), std::string::npos) << error.message;
  }
}

TEST(ExplainFailure, AdvisesNoOptionOfOursForAForeignFile) {
  const Error failure{ErrorKind::kBadInput, "Failed to finalize QNN graph. Error code: 1002"};
  const std::string own = explain_failure(failure, "", "a.onnx").message, foreign = explain_failure(failure, "", "a.onnx", true).message;
  EXPECT_NE(own.find("`part_limit_bytes`"), std::string::npos) << own;
  EXPECT_EQ(foreign.find('`'), std::string::npos) << foreign;
  EXPECT_NE(foreign.find("choose another chip, or a smaller model"), std::string::npos) << foreign;
}

TEST(ExplainFailure, ANumberThatIsNoCodeIsNotTakenForOne) {
  for (const char* message : {"node layer_1002 has 5000 rows", "Error in decoder.5000", "code: 10021", "shape [1, 1002]"})
    EXPECT_EQ(explain_failure({ErrorKind::kBadInput, message}, "", "a.onnx").message,
              std::string("a.onnx: the backend refused it: ") + message);
}

}  // namespace
}  // namespace fastvlm::qnn
