#include "fastvlm/targets/qnn/check/check_ops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "fastvlm/onnx/text_models_for_tests.h"
#include "fastvlm/targets/qnn/chips/soc_for_tests.h"

namespace fastvlm::qnn {
namespace {

OnnxModel parse(const std::string& text) {
  const std::string bytes = onnx_from_text(text);
  Result<OnnxModel> model = parse_onnx(as_bytes(bytes), "test");
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message);
  return model.ok() ? *model : OnnxModel();
}

OperatorReport report_of(const OnnxModel& model, std::string_view target = "sm8750") {
  Result<OperatorReport> report = check_ops(model, **find_soc(target));
  EXPECT_TRUE(report.ok());
  return *report;
}

// "refused Erf: reason" lines, then the findings about the whole model.
std::string text_of(const OperatorReport& report) {
  std::string text;
  for (const NodeVerdict& node : report.nodes)
    for (const OpIssue& issue : node.issues) text += fmt::format("{} {}: {}\n", name(issue.verdict), node.op, issue.reason);
  for (const Finding& finding : report.graph)
    text += fmt::format("{}: {}\n", finding.severity == Severity::kError ? "refused" : "warning", finding.message);
  return text;
}

struct Case {
  const char* what;
  const char* model;
  const char* expected;  // part of the report; "" means that nothing is said
};

void expect_all(std::span<const Case> cases, std::string_view target = "sm8750") {
  for (const Case& test : cases) {
    const std::string text = text_of(report_of(parse(test.model), target));
    if (*test.expected == '\0')
      EXPECT_EQ(text, "") << test.what;
    else
      EXPECT_NE(text.find(test.expected), std::string::npos) << test.what << ":\n" << text;
  }
}

// Each answer is the one that the real backend gave to the same graph (op_rules.h), or names its source.
TEST(CheckOps, JudgesErfByTheChainAroundIt) {
  const Case cases[] = {
      {"exact chain with Div",
       "g (float[2,4] x) => (float[2,4] y) <float r = {1.4142135}, float one = {1}, float half = {0.5}> { a = Div(x, r) b = Erf(a) c = "
       "Add(b, one) d = Mul(x, c) y = Mul(d, half) }",
       ""},
      {"exact chain with Mul",
       "g (float[2,4] x) => (float[2,4] y) <float r = {0.70710677}, float one = {1}, float half = {0.5}> { a = Mul(x, r) b = Erf(a) c = "
       "Add(one, b) d = Mul(c, x) y = Mul(half, d) }",
       ""},
      {"half first",
       "g (float[2,4] x) => (float[2,4] y) <float r = {1.4142135}, float one = {1}, float half = {0.5}> { h = Mul(x, half) a = Div(x, r) b "
       "= Erf(a) c = Add(b, one) y = Mul(h, c) }",
       ""},
      {"half on the sum",
       "g (float[2,4] x) => (float[2,4] y) <float r = {1.4142135}, float one = {1}, float half = {0.5}> { a = Div(x, r) b = Erf(a) c = "
       "Add(b, one) d = Mul(c, half) y = Mul(x, d) }",
       ""},
      {"another constant",
       "g (float[2,4] x) => (float[2,4] y) <float r = {1.5}, float one = {1}, float half = {0.5}> { a = Div(x, r) b = Erf(a) c = Add(b, "
       "one) d = Mul(x, c) y = Mul(d, half) }",
       "warning Erf: the chain is taken for GELU whatever its constant"},
      {"alone", "g (float[2,4] x) => (float[2,4] y) { y = Erf(x) }", "refused Erf: Erf exists only inside GELU"},
      {"one more user inside",
       "g (float[2,4] x) => (float[2,4] y, float[2,4] z) <float r = {1.4142135}, float one = {1}, float half = {0.5}> { a = Div(x, r) b = "
       "Erf(a) c = Add(b, one) d = Mul(x, c) y = Mul(d, half) z = Relu(c) }",
       "refused Erf"},
      {"quantised", "g (uint8[2,4] x) => (float[2,4] y) <float s = {0.1}, uint8 z = {128}> { a = DequantizeLinear(x, s, z) y = Erf(a) }",
       "refused Erf: Erf is refused in a quantised graph"},
      {"one Gelu node", "g (float[2,4] x) => (float[2,4] y) { y = com.microsoft.Gelu(x) }", ""},
  };
  expect_all(cases);
}

TEST(CheckOps, RefusesSymbolicExtentsByName) {
  const OperatorReport report = report_of(parse("g (float[batch,4] x) => (float[batch,4] y) { y = Relu(x) }"));
  EXPECT_FALSE(report.accepted());
  const std::string text = text_of(report);
  EXPECT_NE(text.find("the symbolic extent \"batch\" of \"x\", \"y\""), std::string::npos) << text;
  EXPECT_NE(text.find("refused Relu: \"x\" has the shape [batch, 4]"), std::string::npos) << text;
  EXPECT_EQ(report.nodes[0].issues[0].advice, "give a number for batch");
}

TEST(CheckOps, JudgesRanksAndTypes) {
  const Case cases[] = {
      {"rank 4", "g (float[1,2,3,4] x) => (float[1,2,3,4] y) { y = Relu(x) }", ""},
      {"rank 5", "g (float[1,2,3,4,5] x) => (float[1,2,3,4,5] y) { y = Relu(x) }", "warning Relu: rank 5 is accepted but slow"},
      {"rank 6", "g (float[1,1,2,3,4,5] x) => (float[1,1,2,3,4,5] y) { y = Relu(x) }", "refused Relu: \"x\" has rank 6"},
      {"merged",
       "g (float[1,8,64] x) => (float[1,8,64] y) <int64[6] s = {1,2,4,2,4,8}, int64[3] t = {1,8,64}> { a = Reshape(x, s) b = "
       "Transpose<perm = [0,2,1,3,4,5]>(a) y = Reshape(b, t) }",
       "warning Transpose: \"a\" has rank 6, which passes only"},
      {"double", "g (double[2] x) => (double[2] y) { y = Relu(x) }", "refused Relu: \"x\" is float64"},
      {"bare int8", "g (int8[2] x) => (int8[2] y) { y = Relu(x) }", "refused Relu: \"x\" is int8"},
      {"whole-number matrices", "g (int32[2,2] x) => (int32[2,2] y) { y = MatMul(x, x) }", "refused MatMul: \"x\" is int32"},
      {"bool border", "g (float[2] x) => (bool[2] y) <float z = {0}> { y = Greater(x, z) }", "warning: \"y\" is bool"},
      {"int64 border", "g (int64[2] x) => (float[2] y) { y = Cast<to = 1>(x) }", "warning: \"x\" is int64"},
  };
  expect_all(cases);
}

TEST(CheckOps, NamesConstantsThatHalfPrecisionCannotHold) {
  const Case cases[] = {
      {"lowest float", "g (float[2] x) => (float[2] y) <float m = {-3.4e38}> { y = Add(x, m) }",
       "warning Add: \"m\" holds numbers past 65504"},
      {"fine mask", "g (float[2] x) => (float[2] y) <float m = {-1000}> { y = Add(x, m) }", ""},
      {"bound of Clip", "g (float[2] x) => (float[2] y) <float a = {-1}, float b = {3.4e38}> { y = Clip(x, a, b) }", ""},
      {"tiny factor", "g (float[2] x) => (float[2] y) <float m = {0.000000001}> { y = Mul(x, m) }", "which are 0 in half precision"},
      {"big whole number",
       "g (int32[2] k) => (float[2] y) <int64 m = {1099511627776}> { a = Cast<to = 7>(k) b = Mul(a, m) y = Cast<to = 1>(b) }",
       "warning Mul: \"m\" holds numbers past int32"},
      {"end of Slice", "g (float[8] x) => (float[6] y) <int64[1] a = {2}, int64[1] b = {9223372036854775807}> { y = Slice(x, a, b) }", ""},
  };
  expect_all(cases);

  OnnxModel model = parse("g (float[2] x) => (float[2] y) <float m = {-1}> { y = Add(x, m) }");
  model.initializers[0].constant = Tensor::of_floats({}, std::vector<float>{-std::numeric_limits<float>::infinity()});
  EXPECT_NE(text_of(report_of(model)).find("warning Add: \"m\" holds infinities"), std::string::npos);
}

TEST(CheckOps, JudgesNormsByAxisAndRank) {
  const Case cases[] = {
      {"rms rank 3",
       "g (float[1,2,4] x) => (float[1,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }", ""},
      {"rms rank 4",
       "g (float[1,2,2,4] x) => (float[1,2,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }",
       "warning SimplifiedLayerNormalization: RMS norm of rank 4 gave wrong numbers"},
      {"rms rank 5",
       "g (float[1,1,2,2,4] x) => (float[1,1,2,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }",
       "refused SimplifiedLayerNormalization: RMS norm of rank 5"},
      {"layer norm, last axis",
       "g (float[1,2,4] x) => (float[1,2,4] y) <float[4] s = {1,1,1,1}> { y = LayerNormalization<axis = 2>(x, s) }", ""},
      {"layer norm, two axes",
       "g (float[1,2,4] x) => (float[1,2,4] y) <float[2,4] s = {1,1,1,1,1,1,1,1}> { y = LayerNormalization<axis = 1>(x, s) }",
       "refused LayerNormalization: the norm must run over the last axis"},
      {"mean as output",
       "g (float[1,2,4] x) => (float[1,2,4] y, float[1,2,1] m) <float[4] s = {1,1,1,1}, float[4] b = {0,0,0,0}> { y, m = "
       "LayerNormalization<axis = -1>(x, s, b) }",
       "refused LayerNormalization: mean and deviation"},
      {"mean of squares", "g (float[1,2,4] x) => (float[1,2,1] y) { a = Mul(x, x) y = ReduceMean<axes = [-1]>(a) }",
       "warning ReduceMean: a mean of squares overflows"},
      {"p = 1", "g (float[1,2,4] x) => (float[1,2,4] y) { y = LpNormalization<axis = -1, p = 1>(x) }",
       "refused LpNormalization: only p = 2"},
      {"softmax, last axis", "g (float[1,2,4] x) => (float[1,2,4] y) { y = Softmax<axis = -1>(x) }", ""},
      {"softmax, middle axis", "g (float[1,2,4] x) => (float[1,2,4] y) { y = Softmax<axis = 1>(x) }",
       "warning Softmax: not over the last axis"},
  };
  expect_all(cases);
}

TEST(CheckOps, WantsConstantsWhereTheBackendDoes) {
  const Case cases[] = {
      {"constant Expand", "g (float[1,4] x) => (float[2,4] y) <int64[2] s = {2,4}> { y = Expand(x, s) }",
       "warning Expand: Expand becomes a multiplication"},
      {"computed Expand", "g (float[1,4] x, int64[2] s) => (float[2,4] y) { y = Expand(x, s) }",
       "refused Expand: the shape of Expand is not constant"},
      {"computed Slice", "g (float[8] x, int64[1] a) => (float[6] y) <int64[1] b = {8}> { y = Slice(x, a, b) }",
       "refused Slice: \"a\" is computed while running"},
      {"alpha", "g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1,1,1,1}> { y = Gemm<alpha = 0.5>(x, w) }",
       "refused Gemm: Gemm with alpha 0.5 and beta 1"},
      {"plain Gemm", "g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1,1,1,1}> { y = Gemm(x, w) }", ""},
      {"Reshape by a folded shape", "g (float[2,2] x) => (float[2,2] y) { s = Shape(x) y = Reshape(x, s) }", ""},
      {"ConstantOfShape by a folded shape", "g (float[2,2] x) => (float[2,2] y) { s = Shape(x) c = ConstantOfShape(s) y = Add(x, c) }", ""},
      {"Trilu of a constant folds away", "g (float[2,2] x) => (float[2,2] y) <float[2,2] w = {1,1,1,1}> { t = Trilu(w) y = Mul(x, t) }",
       ""},
      {"Trilu", "g (float[2,2] x) => (float[2,2] y) { y = Trilu(x) }", "refused Trilu: the backend has no such operator"},
      {"computed ids",
       "g (int32[2] k) => (float[2,2] y) <float[4,2] t = {1,2,3,4,5,6,7,8}, int32 one = {1}> { a = Add(k, one) y = Gather(t, a) }", ""},
      {"float Where with a condition", "g (float[2] x) => (float[2] y) <float z = {0}> { c = Greater(x, z) y = Where(c, x, z) }", ""},
      {"Dropout that goes away", "g (float[2] x) => (float[2] y) { a = Relu(x) b = Dropout(a) y = Sigmoid(b) }", ""},
      {"Dropout with its mask", "g (float[2] x) => (float[2] y, bool[2] m) { a = Relu(x) b, m = Dropout(a) y = Sigmoid(b) }",
       "refused Dropout: Dropout cannot be removed here"},
      {"reverse CumSum", "g (float[2] x) => (float[2] y) <int64 a = {0}> { y = CumSum<reverse = 1>(x, a) }",
       "refused CumSum: exclusive and reverse"},
  };
  expect_all(cases);
}

TEST(CheckOps, TellsRefusedFromUnknown) {
  const Case cases[] = {
      {"foreign domain", "<ir_version: 8, opset_import: [\"\" : 17, \"a.b\" : 1]> g (float[2] x) => (float[2] y) { y = a.b.Op(x) }",
       "refused a.b::Op: domain \"a.b\" is unknown"},
      {"no rule", "g (float[2] x) => (float[2] y) { y = com.microsoft.Fancy(x) }", "warning com.microsoft::Fancy: our table has no rule"},
      {"fused attention", "g (float[1,2,4] x) => (float[1,2,4] y) { y = com.microsoft.MultiHeadAttention<num_heads = 2>(x, x, x) }",
       "refused com.microsoft::MultiHeadAttention"},
  };
  expect_all(cases);
}

TEST(CheckOps, WantsQuantisedGraphsOnChipsWithoutHalfPrecision) {
  const Case cases[] = {
      {"float", "g (float[2] x) => (float[2] y) { y = Relu(x) }", "sm8350 has no half precision, and Relu \"y\" computes in floats"},
      {"quantised",
       "g (uint8[2] x) => (uint8[2] y) <float s = {0.1}, uint8 z = {128}> { a = DequantizeLinear(x, s, z) b = Relu(a) y = "
       "QuantizeLinear(b, s, z) }",
       ""},
  };
  expect_all(cases, "sm8350");
}

TEST(CheckOps, CountsVerdictsAndNamesNodes) {
  const OperatorReport report =
      report_of(parse("g (float[1,2,4] x) => (float[1,2,4] y) { a = Relu(x) b = Softmax<axis = 1>(a) y = Erf(b) }"));
  EXPECT_EQ(report.target, "sm8750");
  EXPECT_EQ(report.ok, 1);
  EXPECT_EQ(report.warnings, 1);
  EXPECT_EQ(report.refused, 1);
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.nodes[2].node, "y");
  EXPECT_EQ(report.nodes[2].verdict, Verdict::kRefused);
  EXPECT_FALSE(check_ops(OnnxModel(), kSocs[0]).ok());
}

TEST(OpRules, HaveOneRowForEachOperatorWithReasonAndAdvice) {
  for (const OpRule& rule : op_rules()) {
    EXPECT_EQ(find_op_rule(rule.domain, rule.op), &rule) << rule.op;
    EXPECT_EQ(rule.verdict == RuleVerdict::kConditional, rule.condition != nullptr) << rule.op;
    EXPECT_EQ(rule.verdict == RuleVerdict::kRefused, !rule.reason.empty() && !rule.advice.empty()) << rule.op;
    EXPECT_FALSE(rule.source.empty()) << rule.op;
  }
  EXPECT_EQ(find_op_rule("", "NoSuchOperator"), nullptr);
}

}  // namespace
}  // namespace fastvlm::qnn
