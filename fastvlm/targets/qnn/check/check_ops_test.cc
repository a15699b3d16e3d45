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
  Result<OnnxModel> model = parse_onnx(as_bytes(bytes), "test", {.find_faults = true});
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
    for (const OpIssue& issue : node.issues)
      text += fmt::format("{} {}: {}\n", issue.verdict == Verdict::kOk ? "note" : name(issue.verdict), node.op, issue.reason);
  for (const Finding& finding : report.graph)
    text += fmt::format("{}: {}\n", finding.severity == Severity::kError ? "refused" : "note", finding.message);
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

TEST(CheckOps, NamesTheInputsToFixOnce) {
  const OperatorReport report =
      report_of(parse("g (float[batch,4] x, float[batch,n] w) => (float[batch,4] y) { a = Relu(x) y = Sigmoid(a) z = Neg(w) }"));
  EXPECT_FALSE(report.accepted());
  ASSERT_EQ(report.graph.size(), 1u);
  EXPECT_EQ(report.graph[0].message,
            "the inputs are not fixed (\"batch\" of \"w\", \"x\"; \"n\" of \"w\"): HTP compiles fixed shapes only; fix them, or try "
            "`freeze` batch=1,n=1");
  for (const NodeVerdict& node : report.nodes) {
    ASSERT_EQ(node.issues.size(), 1u) << node.op;
    EXPECT_TRUE(node.issues[0].of_inputs) << node.op;
  }
}

TEST(CheckOps, JudgesRanksAndTypes) {
  const Case cases[] = {
      {"rank 4", "g (float[1,2,3,4] x) => (float[1,2,3,4] y) { y = Relu(x) }", ""},
      {"rank 5", "g (float[1,2,3,4,5] x) => (float[1,2,3,4,5] y) { y = Relu(x) }", "note Relu: rank 5 is accepted but slow"},
      {"rank 6", "g (float[1,1,2,3,4,5] x) => (float[1,1,2,3,4,5] y) { y = Relu(x) }", "refused Relu: \"x\" has rank 6"},
      {"merged",
       "g (float[1,8,64] x) => (float[1,8,64] y) <int64[6] s = {1,2,4,2,4,8}, int64[3] t = {1,8,64}> { a = Reshape(x, s) b = "
       "Transpose<perm = [0,2,1,3,4,5]>(a) y = Reshape(b, t) }",
       "note Transpose: \"a\" has rank 6, which passes only"},
      {"double", "g (double[2] x) => (double[2] y) { y = Relu(x) }", "refused Relu: \"x\" is float64"},
      {"bare int8", "g (int8[2] x) => (int8[2] y) { y = Relu(x) }", "refused Relu: Relu of int8 is refused"},
      {"whole-number matrices", "g (int32[2,2] x) => (int32[2,2] y) { y = MatMul(x, x) }", "refused MatMul: MatMul of int32 is refused"},
      {"bool border", "g (float[2] x) => (bool[2] y) <float z = {0}> { y = Greater(x, z) }", "note: \"y\" is bool"},
      {"int64 border", "g (int64[2] x) => (float[2] y) { y = Cast<to = 1>(x) }", "note: \"x\" is int64"},
  };
  expect_all(cases);
}

TEST(CheckOps, NamesConstantsThatHalfPrecisionCannotHold) {
  const Case cases[] = {
      {"lowest float", "g (float[2] x) => (float[2] y) <float m = {-3.4e38}> { y = Add(x, m) }",
       "note Add: \"m\" holds numbers past 65504"},
      {"fine mask", "g (float[2] x) => (float[2] y) <float m = {-1000}> { y = Add(x, m) }", ""},
      {"bound of Clip", "g (float[2] x) => (float[2] y) <float a = {-1}, float b = {3.4e38}> { y = Clip(x, a, b) }", ""},
      {"tiny factor", "g (float[2] x) => (float[2] y) <float m = {0.000000001}> { y = Mul(x, m) }", "which are 0 in half precision"},
      {"big whole number",
       "g (int32[2] k) => (float[2] y) <int64 m = {1099511627776}> { a = Cast<to = 7>(k) b = Mul(a, m) y = Cast<to = 1>(b) }",
       "note Mul: \"m\" holds numbers past int32"},
      {"end of Slice", "g (float[8] x) => (float[6] y) <int64[1] a = {2}, int64[1] b = {9223372036854775807}> { y = Slice(x, a, b) }", ""},
  };
  expect_all(cases);

  OnnxModel model = parse("g (float[2] x) => (float[2] y) <float m = {-1}> { y = Add(x, m) }");
  model.initializers[0].constant = Tensor::of_floats({}, std::vector<float>{-std::numeric_limits<float>::infinity()});
  EXPECT_NE(text_of(report_of(model)).find("note Add: \"m\" holds infinities"), std::string::npos);
}

TEST(CheckOps, JudgesNormsByAxisAndRank) {
  const Case cases[] = {
      {"rms rank 3",
       "g (float[1,2,4] x) => (float[1,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }", ""},
      {"rms rank 4",
       "g (float[1,2,2,4] x) => (float[1,2,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }",
       "note SimplifiedLayerNormalization: RMS norm of rank 4 gave wrong numbers"},
      {"rms rank 5",
       "g (float[1,1,2,2,4] x) => (float[1,1,2,2,4] y) <float[4] s = {1,1,1,1}> { y = SimplifiedLayerNormalization<axis = -1>(x, s) }",
       "refused SimplifiedLayerNormalization: SimplifiedLayerNormalization of rank 5"},
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
       "note ReduceMean: a mean of squares overflows"},
      {"p = 1", "g (float[1,2,4] x) => (float[1,2,4] y) { y = LpNormalization<axis = -1, p = 1>(x) }",
       "refused LpNormalization: LpNormalization with p = 1 is refused"},
      {"softmax, last axis", "g (float[1,2,4] x) => (float[1,2,4] y) { y = Softmax<axis = -1>(x) }", ""},
      {"softmax, middle axis", "g (float[1,2,4] x) => (float[1,2,4] y) { y = Softmax<axis = 1>(x) }",
       "note Softmax: not over the last axis"},
  };
  expect_all(cases);
}

TEST(CheckOps, WantsConstantsWhereTheBackendDoes) {
  const Case cases[] = {
      {"constant Expand", "g (float[1,4] x) => (float[2,4] y) <int64[2] s = {2,4}> { y = Expand(x, s) }",
       "note Expand: Expand becomes a multiplication"},
      {"computed Expand", "g (float[1,4] x, int64[2] s) => (float[2,4] y) { y = Expand(x, s) }",
       "refused Expand: \"s\" is computed while running"},
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
       "refused CumSum: CumSum with reverse = 1 is refused"},
  };
  expect_all(cases);
}

TEST(CheckOps, JudgesTypesRanksAttributesAndConstantsAsMeasured) {
  const Case cases[] = {
      {"unsigned sum", "g (uint32[2] x) => (uint32[2] y) { y = Add(x, x) }", "refused Add: Add of uint32 is refused"},
      {"unsigned maximum", "g (uint32[2] x) => (uint32[2] y) { y = Max(x, x) }", ""},
      {"64-bit unsigned", "g (uint64[2] x) => (uint64[2] y) { y = Mul(x, x) }", "refused Mul: \"x\" is uint64"},
      {"remainder of int8", "g (int8[2] x) => (int8[2] y) { y = Mod(x, x) }", ""},
      {"remainder of floats", "g (float[2] x) => (float[2] y) { y = Mod<fmod = 1>(x, x) }", "refused Mod: Mod with fmod = 1"},
      {"whole power", "g (float[2] x) => (float[2] y) <int64 two = {2}> { y = Pow(x, two) }", "refused Pow: a power of int64"},
      {"sum of one", "g (float[2] x) => (float[2] y) { y = Sum(x) }", "refused Sum: Sum of one input"},
      {"last of equals", "g (float[2,2] x) => (int64[2,1] y) { y = ArgMax<axis = 1, select_last_index = 1>(x) }",
       "refused ArgMax: ArgMax with select_last_index = 1"},
      {"dilated pool", "g (float[1,1,4,4] x) => (float[1,1,2,2] y) { y = MaxPool<kernel_shape = [2,2], dilations = [2,2]>(x) }",
       "refused MaxPool: MaxPool with dilations = 2"},
      {"window outside",
       "g (float[1,1,4,4] x) => (float[1,1,2,2] y) { y = MaxPool<kernel_shape = [1,1], strides = [2,2], ceil_mode = 1>(x) }",
       "refused MaxPool: ceil_mode makes a last window"},
      {"window inside",
       "g (float[1,1,5,5] x) => (float[1,1,3,3] y) { y = MaxPool<kernel_shape = [2,2], strides = [2,2], ceil_mode = 1>(x) }", ""},
      {"tanh of rank 5", "g (float[1,2,2,2,2] x) => (float[1,2,2,2,2] y) { y = Tanh(x) }", "refused Tanh: Tanh of rank 5 is refused; 4"},
      {"largest scatter", "g (float[4,4] x, int64[2,1] i, float[2,4] u) => (float[4,4] y) { y = ScatterND<reduction = \"max\">(x, i, u) }",
       "refused ScatterND: ScatterND with reduction = max"},
      {"added scatter", "g (float[4,4] x, int64[2,1] i, float[2,4] u) => (float[4,4] y) { y = ScatterND<reduction = \"add\">(x, i, u) }",
       "note: \"i\" is int64"},
      {"computed scale", "g (float[2] x, float s) => (uint8[2] y) { y = QuantizeLinear(x, s) }",
       "refused QuantizeLinear: \"s\" is computed"},
      {"a scale for each channel, layer not quantised",
       "g (float[2,2] x) => (float[2,2] y) <int8[2,2] w = {1,1,1,1}, float[2] s = {1,1}, int8[2] z = {0,0}> { d = DequantizeLinear<axis = "
       "1>(w, s, z) y = MatMul(x, d) }",
       "refused DequantizeLinear: a scale for each channel"},
      {"one scale",
       "g (float[2,2] x) => (float[2,2] y) <int8[2,2] w = {1,1,1,1}, float s = {1}, int8 z = {0}> { d = DequantizeLinear(w, s, z) y = "
       "MatMul(x, d) }",
       ""},
      {"no elements", "g (float[0,4] x) => (float[0,4] y) { y = Relu(x) }", "refused Relu: \"y\" has no elements"},
      {"nearest, asymmetric, default rounding",
       "g (float[1,1,4,4] x) => (float[1,1,8,8] y) <float[4] s = {1,1,2,2}> { y = Resize<mode = \"nearest\", "
       "coordinate_transformation_mode = "
       "\"asymmetric\">(x, , s) }",
       "refused Resize: nearest_mode round_prefer_floor with asymmetric"},
      {"a mask that nobody needs", "g (float[2] x) => (float[2] y) { a = Relu(x) b, m = Dropout(a) y = Sigmoid(b) }", ""},
      {"Dropout at the end", "g (float[2] x) => (float[2] y) { a = Relu(x) y = Dropout(a) }", "refused Dropout: Dropout cannot be removed"},
      {"equation of a matrix product",
       "g (float[2,3,4] x, float[2,4,5] w) => (float[2,3,5] y) { y = Einsum<equation = \"bij,bjk->bik\">(x, w) }", ""},
      {"equation of a sum", "g (float[2,3] x) => (float[2] y) { y = Einsum<equation = \"ij->i\">(x) }", "refused Einsum"},
      {"a refused operator in a branch",
       "g (float[2] x, bool c) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] a) { a = Relu(x) }, else_branch = e () => "
       "(float[2] "
       "b) { b = Acosh(x) }> }",
       "refused If: Acosh in a branch of If is refused"},
      {"branches that are taken",
       "g (float[2] x, bool c) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] a) { a = Relu(x) }, else_branch = e () => "
       "(float[2] "
       "b) { b = Neg(x) }> }",
       "note: \"c\" is bool"},
  };
  expect_all(cases);
}

TEST(CheckOps, JudgesTheModelAsAWhole) {
  const Case cases[] = {
      {"old opset", "<ir_version: 8, opset_import: [\"\" : 6]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
       "refused: opset 6: the backend takes 7"},
      {"future opset", "<ir_version: 8, opset_import: [\"\" : 99]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
       "refused: opset 99 is newer"},
      {"future IR", "<ir_version: 99, opset_import: [\"\" : 17]> g (float[2] x) => (float[2] y) { y = Relu(x) }",
       "refused: IR version 99 is newer"},
      {"a value from nowhere", "g (float[2] x) => (float[2] y) { y = Add(x, nowhere) }", "refused: nothing makes \"nowhere\""},
      {"an operator of a domain that is not imported", "g (float[2] x) => (float[2] y) { y = a.b.Op(x) }",
       "refused: no opset is imported for the domain \"a.b\""},
      {"what we could not infer", "g (float[2] x) => (float[2] y) { a = com.microsoft.Fancy(x) y = Relu(a) }",
       "note: not known: the shapes of \"a\""},
      {"an open result of fixed inputs", "g (float[2] x) => (float[n] y) { y = com.microsoft.Fancy(x) }",
       "note: not known: the shapes of \"y\""},
  };
  expect_all(cases);
  const std::string text = text_of(report_of(parse(cases[6].model)));
  EXPECT_EQ(text.find("fixed shapes only"), std::string::npos) << text;
  const OnnxModel context = parse("g (float[2] x) => (float[2] y) { y = com.microsoft.EPContext<main_context = 1>(x) }");
  EXPECT_NE(check_ops(context, kSocs[0]).error().message.find("a compiled context"), std::string::npos);
}

TEST(CheckOps, RefusesWhatOnnxRuntimeDoesNotLoad) {
  const Case cases[] = {
      {"a value made twice", "g (float[2] x) => (float[2] y) { y = Relu(x) y = Neg(x) }", "refused: \"y\" is made more than once"},
      {"two inputs of one name", "g (float[2] x, float[2] x) => (float[2] y) { y = Relu(x) }", "refused: two inputs are called \"x\""},
      {"an output of no node", "g (float[2] x) => (float[2] y) { z = Relu(x) }", "refused: nothing makes the output \"y\""},
      {"no outputs", "g (float[2] x) => () { z = Relu(x) }", "refused: the model has no outputs"},
      {"no axis", "g (float[2] x) => (float[4] y) { y = Concat(x, x) }", "refused Concat: the attribute \"axis\" is missing"},
      {"an attribute too many", "g (float[2] x) => (float[2] y) { y = Relu<foo = 3>(x) }", "refused Relu: ONNX knows no attribute \"foo\""},
      {"an attribute of another type", "g (float[2] x) => (float[4] y) { y = Concat<axis = \"0\">(x, x) }",
       "refused Concat: the attribute \"axis\" is of another type"},
      {"mixed types", "g (float[2] x) => (float[2] y) <int64[2] w = {1, 1}> { y = Add(x, w) }",
       "refused Add: its inputs must be of one type, but \"x\" is float32 and \"w\" is int64"},
      {"shapes that do not fit", "g (float[2,3] x) => (float[2,3] y) <float[2] w = {1, 1}> { y = Add(x, w) }",
       "refused Add: its inputs do not fit together: Incompatible dimensions"},
      {"opset 0", "<ir_version: 8, opset_import: [\"\" : 0]> g (float[2] x) => (float[2] y) { y = Relu(x) }", "refused: opset 0"},
      {"a circle", "g (float[2] x) => (float[2] y) { y = Add(x, z) z = Relu(y) }",
       "refused: the nodes run in a circle, \"y\" -> \"z\" -> \"y\""},
      {"a node that needs itself", "g (float[2] x) => (float[2] y) { y = Add(x, y) }",
       "refused: the nodes run in a circle, \"y\" -> \"y\""},
      {"no inputs", "g (float[2] x) => (float[2] y) { y = Relu() }", "refused Relu: it has 0 inputs, and ONNX wants 1"},
      {"too many inputs", "g (float[2] x) => (float[2] y) { y = Relu(x, x) }", "refused Relu: it has 2 inputs, and ONNX wants 1"},
      {"an output that lies", "g (float[2] x) => (float[3] y) { y = Relu(x) }",
       "refused Relu: its output \"y\" becomes [2], but the file states [3]"},
      {"a bad node in a branch",
       "g (float[2] x, bool c) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] a) { a = Relu(x) }, else_branch = e () => "
       "(float[2] b) { b = STFT(x) }> }",
       "refused If: STFT \"b\" in it: it has 1 input, and ONNX wants 2 to 4"},
      {"an operator that was made up", "g (float[2] x) => (float[2] y) { y = Foo(x) }", "refused Foo: ONNX has no operator \"Foo\""},
  };
  expect_all(cases);
}

// What the library at hand is too old for, or what ONNX Runtime takes as well.
TEST(CheckOps, FindsNoFaultWhereThereIsNone) {
  const Case cases[] = {
      {"nodes out of order", "g (float[2] x) => (float[2] y) { y = Relu(a) a = Sigmoid(x) }", ""},
      {"nodes out of order, by way of a branch",
       "g (float[2] x, bool c) => (float[2] y) { y = If(c) <then_branch = t () => (float[2] a) { a = Relu(z) }, else_branch = e () => "
       "(float[2] b) { b = Neg(z) }> z = Sigmoid(x) }",
       "note: \"c\" is bool"},
      {"a newer attribute",
       "<ir_version: 10, opset_import: [\"\" : 21]> g (float[2] x) => (float16[2] y) { y = Cast<to = 10, saturate = 1>(x) }", ""},
      {"half precision scale",
       "<ir_version: 10, opset_import: [\"\" : 19]> g (float16[2,2] x) => (float16[2,2] y) <int8[2,2] w = {1,1,1,1}, float f = {1}, int8 z "
       "= "
       "{0}> { s = Cast<to = 10>(f) d = DequantizeLinear(w, s, z) y = MatMul(x, d) }",
       ""},
      {"axes as an input",
       "<ir_version: 10, opset_import: [\"\" : 18]> g (float[2,4] x) => (float[2,1] y) <int64[1] a = {1}> { y = ReduceMax(x, a) }", ""},
      {"an input of another type by right", "g (float[2,4] x, int64[1] i) => (float[1,4] y) { y = Gather(x, i) }", "note: \"i\" is int64"},
  };
  expect_all(cases);
  for (const Case& test : cases) EXPECT_TRUE(report_of(parse(test.model)).accepted()) << test.what << text_of(report_of(parse(test.model)));
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
  const char* kBlocks =
      "g (uint8[1,16] x) => (uint8[1,2] y) <float s = {0.1}, uint8 z = {128}, uint8[2,1,8] codes = {1,2,3,4,5,6,7,8,1,2,3,4,5,6,7,8}, "
      "float[2] scales = {1,1}> { a = DequantizeLinear(x, s, z) b = com.microsoft.MatMulNBits<K = 16, N = 2, bits = 4, block_size = "
      "16>(a, codes, scales) y = QuantizeLinear(b, s, z) }";
  const Case cases[] = {
      {"float", "g (float[2] x) => (float[2] y) { y = Relu(x) }", "sm8350 has no half precision, and Relu \"y\" computes in floats"},
      {"quantised",
       "g (uint8[2] x) => (uint8[2] y) <float s = {0.1}, uint8 z = {128}> { a = DequantizeLinear(x, s, z) b = Relu(a) y = "
       "QuantizeLinear(b, s, z) }",
       ""},
      {"blocks", kBlocks,
       "refused com.microsoft::MatMulNBits: sm8350 computes no half precision, in which weights in blocks are multiplied"},
  };
  expect_all(cases, "sm8350");
  const Case newer[] = {{"blocks", kBlocks, ""}};
  expect_all(newer, "sm8450");
}

TEST(CheckOps, CountsVerdictsAndNamesNodes) {
  const OperatorReport report =
      report_of(parse("g (float[1,2,4] x) => (float[1,2,4] y) { a = Relu(x) b = com.microsoft.Fancy(a) y = Erf(b) }"));
  EXPECT_EQ(report.target, "sm8750");
  EXPECT_EQ(report.ok, 1);
  EXPECT_EQ(report.warnings, 1);
  EXPECT_EQ(report.refused, 1);
  EXPECT_FALSE(report.accepted());
  EXPECT_EQ(report.nodes[2].node, "y");
  EXPECT_EQ(report.nodes[2].verdict, Verdict::kRefused);
  EXPECT_FALSE(check_ops(OnnxModel(), kSocs[0]).ok());
}

TEST(OpRules, HaveOneRowForEachOperator) {
  for (const OpRule& rule : op_rules()) {
    EXPECT_EQ(find_op_rule(rule.domain, rule.op), &rule) << rule.op;
    EXPECT_EQ(rule.is_refused(), !rule.advice.empty()) << rule.op;
    EXPECT_FALSE(rule.source.empty()) << rule.op;
  }
  EXPECT_EQ(find_op_rule("", "NoSuchOperator"), nullptr);
  for (const AttributeRule& rule : attribute_rules()) {
    const OpRule* row = find_op_rule("", rule.op);
    ASSERT_NE(row, nullptr) << rule.op;
    EXPECT_FALSE(row->is_refused()) << rule.op;
  }
}

}  // namespace
}  // namespace fastvlm::qnn
