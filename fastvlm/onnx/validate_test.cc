#include "fastvlm/onnx/validate.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/text_models_for_tests.h"

namespace fastvlm {
namespace {

// A folder of its own for each test.
class Folder {
 public:
  Folder() : path_(Path(testing::TempDir()) / testing::UnitTest::GetInstance()->current_test_info()->name()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const Path& path() const { return path_; }
  Path write(const std::string& name, const std::string& bytes) const {
    EXPECT_TRUE(write_file_atomically(path_ / name, bytes).ok());
    return path_ / name;
  }

 private:
  Path path_;
};

std::string text_of(const std::vector<Finding>& findings) {
  std::string text;
  for (const Finding& finding : findings)
    text += (finding.severity == Severity::kError     ? "error: "
             : finding.severity == Severity::kWarning ? "warning: "
                                                      : "note: ") +
            finding.message + "\n";
  return text;
}

std::string validate_text(const std::string& model, const ValidateOptions& options = {},
                          const std::vector<ExternalTensorForTests>& external = {}, const std::string& data = "") {
  Folder folder;
  if (!data.empty()) folder.write("weights.data", data);
  const Path file = folder.write("model.onnx", onnx_from_text(model, external));
  Result<std::vector<Finding>> findings = validate_onnx(file, options);
  return findings.ok() ? text_of(*findings) : findings.error().message;
}

using Entries = std::vector<std::pair<std::string, std::string>>;
std::string validate_weight(const Entries& entries, const ValidateOptions& options = {}, const std::string& data = std::string(8192, 'x')) {
  return validate_text("g (float[2,3] x) => (float[2,4] y) { y = MatMul(x, w) }", options, {{"w", Dtype::kFloat32, {3, 4}, entries}}, data);
}

struct Case {
  const char* what;
  const char* model;
  const char* expected;  // part of the report; "" means no finding at all
};

TEST(ValidateOnnx, FindsTheClassicFailures) {
  const Case cases[] = {
      {"a good model", "g (float[N,3] x) => (float[N,3] y) { y = Relu(x) }", ""},
      {"weight does not fit",
       "g (float[2,3] x) => (float[2,5] y) <float[4,5] w = {1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1}> { y = MatMul(x, w) }",
       "error: shape inference: "},
      {"unknown operator", "g (float[2] x) => (float[2] y) { y = Reluu(x) }", "error: ONNX checker: No Op registered for Reluu"},
      {"unknown attribute", "g (float[2] x) => (float[2] y) { y = Relu<slope = 1>(x) }",
       "error: ONNX checker: Unrecognized attribute: slope"},
      {"use before it is made", "g (float[2] x) => (float[2] y) { y = Relu(a) a = Relu(x) }", "uses \"a\", which is made by a later node"},
      {"use of nothing", "g (float[2] x) => (float[2] y) { y = Relu(a) }", "uses \"a\", which nothing makes"},
      {"made twice", "g (float[2] x) => (float[2] y) { y = Relu(x) y = Neg(x) }", "makes \"y\", which exists already"},
      {"output that nobody makes", "g (float[2] x) => (float[2] y, float[2] z) { y = Relu(x) }", "nothing makes the output \"z\""},
      {"unused node", "g (float[2] x) => (float[2] y) { y = Relu(x) a = Neg(x) }", "error: nothing uses the result of Neg \"a\""},
      {"unused initializer", "g (float[2] x) => (float[2] y) <float w = {1}> { y = Relu(x) }", "error: nothing uses the initializer \"w\""},
      {"unused input", "g (float[2] x, float[2] z) => (float[2] y) { y = Relu(x) }", "warning: nothing uses the input \"z\""},
      {"identity", "g (float[2] x) => (float[2] y) { a = Identity(x) y = Relu(a) }", "warning: Identity \"a\" does nothing"},
      {"other opset", "<ir_version: 8, opset_import: [\"\" : 16]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
       "imports opset 16, 17 is expected"},
      {"other IR version", "<ir_version: 7, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
       "IR version 7, 8 is expected"},
      {"domain not imported", "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = com.microsoft.Gelu(x) }",
       "domain \"com.microsoft\" are used"},
      {"operator of ONNX Runtime",
       "<ir_version: 8, opset_import: [\"\" : 17]> g (float[2,3] x) => (float[2,3] y) <float[3] s = {1,1,1}> { y = "
       "SimplifiedLayerNormalization(x, s) }",
       ""},
      {"foreign domain", "<ir_version: 8, opset_import: [\"\" : 17, \"a.b\" : 1]> g (float[2] x) => (float[2] y) { y = a.b.Op(x) }",
       "note: the ONNX checker and strict shape inference were left out: the ONNX library does not know a.b::Op"},
  };
  for (const Case& test : cases) {
    const std::string report = validate_text(test.model);
    if (*test.expected == '\0')
      EXPECT_EQ(report, "") << test.what;
    else
      EXPECT_NE(report.find(test.expected), std::string::npos) << test.what << ":\n" << report;
  }
}

TEST(ValidateOnnx, NotesModelsThatAreNewerThanTheLibrary) {
  const std::string report = validate_text("<ir_version: 12, opset_import: [\"\" : 99]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
                                           {.opset = 0, .ir_version = 0});
  EXPECT_NE(report.find("note: the ONNX checker and strict shape inference were left out: opset 99"), std::string::npos) << report;
  EXPECT_EQ(report.find("error"), std::string::npos) << report;
}

TEST(ValidateOnnx, NamesOperatorsThatAreNotAllowed) {
  const char* model = "g (float[2] x) => (float[2] y) { a = Relu(x) b = com.microsoft.Gelu(a) y = Erf(b) }";
  EXPECT_EQ(validate_text(model, {.allowed_operators = {{"Relu", ""}, {"Gelu", "com.microsoft"}}}),
            "error: Erf is not an allowed operator, and occurs 1 times\n");
  EXPECT_EQ(validate_text(model, {.allowed_operators = {{"Relu", ""}, {"Gelu", "com.microsoft"}, {"Erf", ""}}}), "");
}

TEST(ValidateOnnx, NamesSymbolicExtentsWhereNumbersAreNeeded) {
  const std::string report = validate_text("g (float[batch,3] x) => (float[batch,3] y) { y = Relu(x) }", {.forbid_symbolic_dims = true});
  EXPECT_NE(report.find("input \"x\": the shape [batch, 3] depends on batch"), std::string::npos) << report;
  const std::string inside =
      validate_text("g (float[4] x) => (int64[1,4] y) { a = NonZero(x) b = Abs(a) c = Abs(b) y = Abs(c) }", {.forbid_symbolic_dims = true});
  EXPECT_NE(inside.find("NonZero \"a\" gives the shape"), std::string::npos) << inside;
  EXPECT_EQ(validate_text("g (float[2,3] x) => (float[2,3] y) { y = Relu(x) }", {.forbid_symbolic_dims = true}), "");
}

TEST(ValidateOnnx, AcceptsGoodExternalData) {
  EXPECT_EQ(validate_weight({{"location", "weights.data"}, {"offset", "4096"}, {"length", "48"}}, {.require_aligned_data = true}), "");
  EXPECT_EQ(validate_weight({{"location", "./weights.data"}, {"offset", "8144"}}), "");  // up to the end
}

TEST(ValidateOnnx, FindsEveryFaultOfExternalData) {
  struct Fault {
    Entries entries;
    const char* expected;
  };
  const Fault faults[] = {
      {{{"location", "weights.data"}, {"offset", "8193"}, {"length", "48"}}, "begin at byte 8193 of \"weights.data\", which has 8192"},
      {{{"location", "weights.data"}, {"offset", "8160"}, {"length", "48"}}, "need bytes 8160 to 8208"},
      {{{"location", "weights.data"}, {"offset", "0"}, {"length", "44"}}, "needs 48 bytes, but 44 are named"},
      {{{"location", "weights.data"}}, "needs 48 bytes, but 8192 are named"},
      {{{"location", "weights.data"}, {"offset", "16"}, {"length", "9223372036854775807"}}, "error: "},
      {{{"location", "weights.data"}, {"offset", "9223372036854775807"}, {"length", "9223372036854775807"}}, "error: "},
      {{{"location", "other.data"}, {"length", "48"}}, "there is no such file"},
      {{{"location", "/etc/passwd"}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", "../weights.data"}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", "a/../../weights.data"}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", "..\\weights.data"}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", "C:\\weights.data"}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", ""}, {"length", "48"}}, "must lie in the folder"},
      {{{"location", "."}, {"length", "48"}}, "not a regular file"},
  };
  for (const Fault& fault : faults) {
    const std::string report = validate_weight(fault.entries);
    EXPECT_NE(report.find(fault.expected), std::string::npos) << report;
    EXPECT_NE(report.find("error: "), std::string::npos) << report;
  }
  const std::string report =
      validate_weight({{"location", "weights.data"}, {"offset", "64"}, {"length", "48"}}, {.require_aligned_data = true});
  EXPECT_NE(report.find("not at a multiple of 4096"), std::string::npos) << report;
}

TEST(ValidateOnnx, RefusesSymbolicLinksToData) {
  Folder folder;
  folder.write("real.data", std::string(48, 'x'));
  std::filesystem::create_symlink("real.data", folder.path() / "weights.data");
  EXPECT_NE(look_at_data_file(folder.path(), "weights.data").problem.find("symbolic link"), std::string::npos);
  EXPECT_EQ(look_at_data_file(folder.path(), "real.data").size, 48u);
}

TEST(ExternalData, IsNotReadThroughLinksThatLeaveTheFolder) {
  Folder folder;
  std::filesystem::create_directories(folder.path() / "model/inside");
  std::filesystem::create_directories(folder.path() / "elsewhere");
  folder.write("elsewhere/w.data", std::string(48, 'x'));
  folder.write("model/inside/w.data", std::string(48, 'x'));
  std::filesystem::create_directory_symlink("../elsewhere", folder.path() / "model/out");
  std::filesystem::create_directory_symlink("inside", folder.path() / "model/within");
  const Path model = folder.path() / "model";
  EXPECT_NE(look_at_data_file(model, "out/w.data").problem.find("out of the folder of the model"), std::string::npos);
  EXPECT_EQ(look_at_data_file(model, "within/w.data").size, 48u);
  EXPECT_EQ(look_at_data_file(model, "out/none.data").size, 0u);
}

OnnxInitializer external(const std::string& name, std::uint64_t offset, std::uint64_t length) {
  OnnxInitializer tensor;
  tensor.name = name;
  tensor.shape = {static_cast<std::int64_t>(length)};
  tensor.bytes = length;
  tensor.external = ExternalData{"weights.data", offset, length};
  return tensor;
}

TEST(ExternalData, MayBeSharedWholeButNotInPart) {
  const std::map<std::string, DataFile> files = {{"weights.data", {1000, ""}}};
  OnnxModel model;
  model.initializers = {external("a", 0, 100), external("b", 0, 100), external("c", 100, 50), external("empty", 120, 0)};
  EXPECT_EQ(text_of(check_external_data(model, files)), "");
  model.initializers.push_back(external("d", 149, 10));
  EXPECT_EQ(text_of(check_external_data(model, files)),
            "error: bytes 149 to 159 of \"weights.data\" overlap those of \"c\", which end at 150\n");
  model.initializers = {external("whole", 0, 1000), external("a", 10, 10), external("b", 30, 10)};
  EXPECT_EQ(check_external_data(model, files).size(), 2u);
}

TEST(ValidateOnnx, JoinsErrorsIntoOneStatus) {
  std::vector<Finding> findings = {{Severity::kNote, "", "a note"}, {Severity::kWarning, "", "a warning"}};
  EXPECT_TRUE(to_status(findings, "m.onnx").ok());
  findings.push_back({Severity::kError, "n", "the first"});
  EXPECT_EQ(to_status(findings, "m.onnx").error().message, "m.onnx: the first");
  findings.push_back({Severity::kError, "n", "the second"});
  EXPECT_EQ(to_status(findings, "m.onnx").error().message, "m.onnx: the first (and 1 more)");
  EXPECT_TRUE(has_errors(findings));
}

TEST(ValidateOnnx, ReportsUnreadableFilesAsErrors) {
  Folder folder;
  EXPECT_FALSE(validate_onnx(folder.path() / "missing.onnx").ok());
  EXPECT_FALSE(validate_onnx(folder.write("text.onnx", "hello")).ok());
}

// Names of ONNX that are newer than the linked library, and what runtimes add, are no mistakes.
TEST(UnknownOperator, IsOneThatNoVersionOfOnnxHas) {
  const auto unknown = [](const std::string& nodes) {
    const std::string bytes = onnx_from_text("g (float[2] x) => (float[2] y) { " + nodes + " }");
    const auto model = parse_onnx(std::as_bytes(std::span(bytes)), "test", {.infer_shapes = false});
    EXPECT_TRUE(model.ok()) << nodes;
    return model.ok() ? unknown_operator(*model).value_or("") : "?";
  };
  EXPECT_EQ(unknown("a = Relu(x) y = Foo(a)"), "Foo");
  for (const char* known :
       {"y = Relu(x)", "y = RMSNormalization(x, x)", "y = SimplifiedLayerNormalization(x, x)", "y = com.microsoft.GroupQueryAttention(x)"})
    EXPECT_EQ(unknown(known), "") << known;
}

}  // namespace
}  // namespace fastvlm
