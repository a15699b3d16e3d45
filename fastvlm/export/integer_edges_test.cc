// Graphs with integer activations whose cache, inputs and outputs are codes: the same numbers as with float32, in fewer bytes.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "fastvlm/compile/graph_opener.h"
#include "fastvlm/export/add_recipes.h"
#include "fastvlm/export/export_and_compile.h"
#include "fastvlm/export/npu_plan.h"
#include "fastvlm/export/trained_in_integers_for_tests.h"
#include "fastvlm/session/float_edges.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/tensor/compare.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

class IntegerEdgesOfTrained : public TrainedInIntegers {
 protected:
  // Of one recipe, below folder_.
  ExportOptions coded(const std::string& name, const std::string& recipe, const IntegerEdges& edges) const {
    ExportOptions made = options(name);
    made.npu->recipes = {find_recipe(recipe).value()};
    made.npu->integer_edges = edges;
    if (recipe != "w8a16-int") return made;
    made.npu->targets = {"sm8350"};
    made.npu->vision_recipe = find_recipe("w8a16").value();
    return made;
  }
  Manifest manifest(const std::string& name) const { return read_manifest(folder_ / name).value(); }
  OpenGraph open(const std::string& name) const { return with_float_edges(cpu_for_tests(), manifest(name)); }
  Result<OpenGraph> emulated(const std::string& name, const std::string& chip) const {
    return graph_opener({.output_dir = folder_ / name,
                         .chip = chip,
                         .runtimes = {.cache_folder = default_cache_folder(std::getenv("XDG_CACHE_HOME"), std::getenv("HOME"))},
                         .program = FASTVLM_PROGRAM});
  }
  // Logits of some questions, each with a few tokens behind it.
  std::vector<std::vector<float>> logits(const std::string& name, const OpenGraph& open, std::size_t asked = 2) const {
    Forced decoder(folder_ / name, "", open);
    std::vector<std::vector<float>> rows;
    for (std::size_t i = 0; i < asked; ++i)
      for (std::vector<float>& row : decoder.run(questions(1)[i], {5, 6, 7})) rows.push_back(std::move(row));
    return rows;
  }
};

const ValueEntry& value_of(const GraphEntry& graph, const std::string& name) {
  for (const auto* values : {&graph.inputs, &graph.outputs})
    for (const ValueEntry& value : *values)
      if (value.name == name) return value;
  ADD_FAILURE() << graph.name << " has no " << name;
  static const ValueEntry none;
  return none;
}

TEST_F(IntegerEdgesOfTrained, ACacheOfCodesGivesTheSameLogitsToTheLastBit) {
  struct Case {
    const char* recipe;
    Dtype cache;
    std::int32_t middle;
  };
  for (const Case& c :
       {Case{"w8a16", Dtype::kUint16, 32768}, Case{"w4a16", Dtype::kUint16, 32768}, Case{"w8a16-int", Dtype::kUint8, 128}}) {
    SCOPED_TRACE(c.recipe);
    const std::string floats = std::string(c.recipe) + "-floats", codes = std::string(c.recipe) + "-codes";
    export_or_fail(coded(floats, c.recipe, {}));
    export_or_fail(coded(codes, c.recipe, {.cache = c.cache}));
    for (const GraphEntry& graph : manifest(codes).graphs) {
      if (graph.role != GraphRole::kDecoder) continue;
      const ValueEntry &in = value_of(graph, "past_key_3_in"), &logits = value_of(graph, "logits");
      EXPECT_EQ(in.type, c.cache);
      ASSERT_TRUE(in.encoding);
      EXPECT_EQ(in.encoding->zero_point, c.middle);
      EXPECT_EQ(logits.type, Dtype::kFloat32);
      EXPECT_EQ(graph.precision, "float32");
    }
    EXPECT_TRUE(logits(codes, open(codes)) == logits(floats, cpu_for_tests()));
  }
}

TEST_F(IntegerEdgesOfTrained, KeysAndValuesHaveOneEncodingInAndOutInAllLengthsAndParts) {
  ExportOptions cut = coded("out", "w8a16", {.cache = Dtype::kUint16});
  cut.npu->prefill = {8, 32};
  cut.npu->part_limit_bytes = 300'000;
  export_or_fail(cut);
  std::map<std::string, std::vector<Encoding>> found;
  for (const GraphEntry& graph : manifest("out").graphs) {
    if (graph.role != GraphRole::kDecoder) continue;
    for (const auto* values : {&graph.inputs, &graph.outputs})
      for (const ValueEntry& value : *values)
        if (value.name.starts_with("past_")) found[value.name.substr(0, value.name.rfind('_'))].push_back(value.encoding.value());
  }
  EXPECT_EQ(found.size(), 8u) << "keys and values of four layers";
  for (const auto& [name, encodings] : found) {
    EXPECT_EQ(encodings.size(), 6u) << "in and out of three lengths";
    for (const Encoding& encoding : encodings) EXPECT_EQ(encoding, encodings.front()) << name;
  }
}

TEST_F(IntegerEdgesOfTrained, ACacheOfEightBitsIsMultipliedWithEightAndAnswersAsWell) {
  export_or_fail(coded("out", "w8a16", {.cache = Dtype::kUint8}));
  EXPECT_EQ(manifest("out").find(GraphRole::kDecoder)->activations, Activations::kInt16Int8);
  EXPECT_EQ(right_answers(*chat("", open("out")), questions(2)), 10);
}

TEST_F(IntegerEdgesOfTrained, EverythingAsCodesAnswersAndVerifies) {
  struct Case {
    const char* recipe;
    Dtype cache;
  };
  for (const Case& c : {Case{"w8a16", Dtype::kUint16}, Case{"w8a16-int", Dtype::kUint8}}) {
    SCOPED_TRACE(c.recipe);
    ExportOptions all = coded("out", c.recipe, {.cache = c.cache, .others = true});
    all.npu->vision_recipe = find_recipe("w8a16").value();
    all.force = true;
    export_or_fail(all);
    for (const GraphEntry& graph : manifest("out").graphs)
      for (const auto* values : {&graph.inputs, &graph.outputs})
        for (const ValueEntry& value : *values) EXPECT_TRUE(value.encoding || !graph.npu()) << graph.name << " " << value.name;
    EXPECT_EQ(right_answers(*chat("", open("out")), questions(1)), 5);
    Progress silent;
    auto report = verify({.output_dir = folder_ / "out", .open_cpu = open("out")}, silent);
    ASSERT_TRUE(report.ok()) << report.error().message;
    for (const VerifyRow& row : report->rows)
      EXPECT_EQ(row.outcome, Outcome::kPassed) << row.check << " " << row.subject << ": " << row.sentence;
  }
}

// Streams in half precision reach numbers that 16 bits from end to end would not keep apart.
TEST_F(IntegerEdgesOfTrained, StreamsBetweenPartsStayFloats) {
  ExportOptions cut = coded("out", "w8a16", {.others = true});
  cut.npu->part_limit_bytes = 300'000;
  export_or_fail(cut);
  for (const GraphEntry& graph : manifest("out").graphs) {
    if (graph.role != GraphRole::kDecoder) continue;
    for (const ValueEntry& value : graph.inputs)
      EXPECT_EQ(value.encoding.has_value(), !value.name.starts_with("hidden_states") && !value.name.starts_with("past_")) << value.name;
  }
  EXPECT_EQ(right_answers(*chat("", open("out")), questions(1)), 5);
}

TEST_F(IntegerEdgesOfTrained, ThePlanSaysHowManyBytesOfTheCacheEachTokenMoves) {
  std::map<std::string, std::uint64_t> bytes;
  for (const auto& [name, cache] : {std::pair("float32", std::optional<Dtype>()), std::pair("uint16", std::optional(Dtype::kUint16)),
                                    std::pair("uint8", std::optional(Dtype::kUint8))}) {
    auto prepared = prepare_export(coded("out", "w8a16", {.cache = cache}));
    ASSERT_TRUE(prepared.ok()) << prepared.error().message;
    const auto plan = npu_plan_json(**prepared);
    ASSERT_TRUE(plan.ok());
    const auto& rows = (*plan)[0]["cache_at_edges"];
    ASSERT_EQ(rows.size(), 1u);
    EXPECT_EQ(rows[0]["recipe"], "w8a16");
    EXPECT_EQ(rows[0]["type"], name);
    bytes[name] = rows[0]["bytes_per_token"].get<std::uint64_t>();
  }
  // Four layers, keys and values, two heads of 32 numbers, 127 slots in and one out.
  EXPECT_EQ(bytes["uint8"], 4u * 2 * 2 * 32 * 128);
  EXPECT_EQ(bytes["uint16"], 2 * bytes["uint8"]);
  EXPECT_EQ(bytes["float32"], 4 * bytes["uint8"]);
}

TEST_F(IntegerEdgesOfTrained, TheTableOfTokensIsThereInTheCodesThatGraphsTake) {
  export_or_fail(coded("floats", "w8a16", {.cache = Dtype::kUint16}));
  EXPECT_TRUE(manifest("floats").embedding_uint16.empty());
  export_or_fail(coded("out", "w8a16", {.others = true}));
  const Manifest made = manifest("out");
  ASSERT_EQ(made.embedding_uint16.size(), 1u);
  const CodedTableEntry& table = made.embedding_uint16.front();
  EXPECT_EQ(table.encoding, value_of(*made.find(GraphRole::kDecoder), kInputsEmbeds).encoding);
  EXPECT_EQ(table.recipes, std::vector<std::string>{"w8a16"});
  const std::string floats = text_of(folder_ / "out" / kFloatTableFile), codes = text_of(folder_ / "out" / table.file);
  ASSERT_EQ(codes.size(), floats.size() / 2);
  double signal = 0, noise = 0;
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < codes.size() / 2; ++i) {
    float number = 0;
    std::uint16_t code = 0;
    std::memcpy(&number, floats.data() + 4 * i, 4);
    std::memcpy(&code, codes.data() + 2 * i, 2);
    const double nearest = std::nearbyint(double{number} / table.encoding.scale) + table.encoding.zero_point;
    wrong += code != std::clamp(nearest, 0.0, 65535.0);
    signal += double{number} * number;
    noise += std::pow(number - (code - table.encoding.zero_point) * double{table.encoding.scale}, 2);
  }
  EXPECT_EQ(wrong, 0u);
  EXPECT_NEAR(table.sqnr_db, 10 * std::log10(signal / noise), 1e-6);
  EXPECT_GT(table.sqnr_db, 60);
}

TEST_F(IntegerEdgesOfTrained, ARecipeThatIsAddedHasTheEdgesOfTheExport) {
  const IntegerEdges edges{.cache = Dtype::kUint16, .others = true};
  export_or_fail(coded("out", "w8a16", edges));
  Progress silent;
  const auto added = add_recipes({.output_dir = folder_ / "out",
                                  .model_dir = kTrained / "checkpoint",
                                  .recipes = {find_recipe("w4a16").value()},
                                  .ranges = options().ranges,
                                  .threads = 2},
                                 silent);
  ASSERT_TRUE(added.ok()) << added.error().message;
  ExportOptions both = coded("both", "w8a16", edges);
  both.npu->recipes.push_back(find_recipe("w4a16").value());
  for (const auto& [name, file] : export_or_fail(both).files)
    EXPECT_TRUE(text_of(folder_ / "out" / name) == text_of(folder_ / "both" / name)) << name;
}

TEST_F(IntegerEdgesOfTrained, WhatCannotBeIsRefused) {
  ExportOptions shortened = coded("out", "w8a16", {.cache = Dtype::kUint16}), half = coded("out", "w8a16", {.others = true});
  shortened.npu->targets = {"sm8450", "sm8750"};
  half.npu->io_dtype = Dtype::kFloat16;
  const std::pair<ExportOptions, const char*> cases[] = {
      {coded("out", "w8", {.cache = Dtype::kUint8}),
       "`kv_dtype` uint8: is for recipes with integer activations such as w8a16; no decoder has"},
      {coded("out", "w8", {.others = true}), "`io_dtype` uint16: is for recipes with integer activations such as w8a16; no graph has one"},
      {coded("out", "w8a16-int", {.cache = Dtype::kUint16}),
       "`kv_dtype` uint16: the cache of recipe w8a16-int is multiplied with 8 bits; choose uint8"},
      {shortened, "the cache of recipe w8a16 is multiplied with 8 bits for these chips; choose uint8"},
      {half, "leave out `io_dtype`"}};
  for (const auto& [how, sentence] : cases) {
    const auto refused = prepare_export(how);
    ASSERT_FALSE(refused.ok()) << sentence;
    EXPECT_NE(refused.error().message.find(sentence), std::string::npos) << refused.error().message;
  }
}

TEST_F(IntegerEdgesOfTrained, TheEmulatedNpuTakesCodesAndAnswersAsTheCpuDoes) {
  struct Case {
    const char* recipe;
    const char* chip;
    Dtype cache;
  };
  for (const Case& c : {Case{"w8a16", "sm8750", Dtype::kUint16}, Case{"w8a16-int", "sm8350", Dtype::kUint8}}) {
    SCOPED_TRACE(c.recipe);
    const std::string name = c.recipe;
    export_or_fail(coded(name, c.recipe, {.cache = c.cache, .others = true}));
    const auto npu = emulated(name, c.chip);
    ASSERT_TRUE(npu.ok()) << npu.error().message;
    const auto expected = logits(name, open(name), 1), actual = logits(name, *npu, 1);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double snr = compare(actual[i], expected[i]).snr_db;
      EXPECT_GE(snr, c.cache == Dtype::kUint8 ? 35 : 50) << i;
      fmt::print("{} row {}: {:.1f} dB\n", c.recipe, i, snr);
    }
  }
}

}  // namespace
}  // namespace fastvlm
