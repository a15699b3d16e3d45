#include "fastvlm/checkpoint/adapter_config.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fastvlm {
namespace {

AdapterConfig good(const Json& changes) {
  Json json = {{"peft_type", "LORA"}, {"r", 8}, {"lora_alpha", 16}, {"base_model_name_or_path", "apple/FastVLM-0.5B"}};
  json.update(changes);
  auto config = parse_adapter_config(json.dump(), "adapter_config.json");
  EXPECT_TRUE(config.ok()) << config.error().message;
  return config.ok() ? *config : AdapterConfig();
}

TEST(AdapterConfig, TheFactorIsAlphaOverRankOrOverItsRoot) {
  EXPECT_EQ(good(Json::object()).scale_of("model.layers.0.self_attn.q_proj"), 2);
  EXPECT_EQ(good({{"use_rslora", true}}).scale_of("q_proj"), 16 / std::sqrt(8.0));
  EXPECT_EQ(good(Json::object()).base_model, "apple/FastVLM-0.5B");
  const AdapterConfig patterns =
      good({{"rank_pattern", {{"q_proj", 4}, {"^model.layers.1.mlp.up_proj", 2}}}, {"alpha_pattern", {{"layers.0.self_attn.q_proj", 6}}}});
  EXPECT_EQ(patterns.rank_of("model.layers.0.self_attn.q_proj"), 4);
  EXPECT_EQ(patterns.scale_of("model.layers.0.self_attn.q_proj"), 1.5);
  EXPECT_EQ(patterns.scale_of("model.layers.1.self_attn.q_proj"), 4);
  EXPECT_EQ(patterns.rank_of("model.layers.1.mlp.up_proj"), 2);
  EXPECT_EQ(patterns.rank_of("model.layers.1.mlp.down_proj"), 8);
}

TEST(AdapterConfig, MissingNumbersAreThoseOfPeft) {
  auto config = parse_adapter_config(R"({"peft_type": "LORA"})", "adapter_config.json");
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->rank, 8);
  EXPECT_EQ(config->alpha, 8);
  EXPECT_EQ(config->findings.size(), 2u);
  EXPECT_EQ(good({{"fan_in_fan_out", true}}).findings.size(), 1u);
}

TEST(AdapterConfig, PatternsFitAsRegularExpressionsBehindADot) {
  struct Row {
    const char *pattern, *module;
    bool fits;
  };
  for (const Row& row :
       {Row{"q_proj", "model.layers.0.self_attn.q_proj", true}, Row{"proj", "model.layers.0.self_attn.q_proj", false},
        Row{"self_attn.q_proj", "a.self_attn.q_proj", true}, Row{"^q_proj", "a.q_proj", false}, Row{"^a.q_proj", "a.q_proj", true},
        Row{R"(layers\.\d+\.mlp.*)", "model.layers.12.mlp.up_proj", true},
        Row{R"(layers\.\d+\.mlp.*)", "model.layers.x.mlp.up_proj", false}, Row{"q_proj$", "a.q_proj", true}, Row{".*", "anything", true},
        Row{R"(layers\.\w+\.self_attn\.q_p\w*)", "model.layers.0.self_attn.q_proj", true}, Row{R"(\w+_proj)", "a.b-q_proj", false},
        Row{R"(layers\.\d+\.mlp\.\S+)", "model.layers.1.mlp.up_proj", true}, Row{R"(\D+\.0\.mlp)", "model.layers.0.mlp", true},
        Row{R"(\D+)", "0", false}, Row{R"(a\Wb\_c)", "a.b_c", true}, Row{R"(\s)", "a. ", true}, Row{R"(a\sb)", "asb", false},
        Row{"", "a", false}, Row{"a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false}})
    EXPECT_EQ(pattern_fits(row.pattern, row.module), row.fits) << row.pattern << " " << row.module;
}

TEST(AdapterConfig, WhateverIsMoreThanALowRankSumIsRefusedByName) {
  struct Row {
    Json changes;
    const char* part;
  };
  const Row rows[] = {
      {{{"peft_type", "IA3"}}, "peft_type = \"IA3\""},
      {{{"peft_type", "LOHA"}}, "peft_type = \"LOHA\""},
      {{{"peft_type", "PROMPT_TUNING"}}, "peft_type = \"PROMPT_TUNING\""},
      {{{"peft_type", nullptr}}, "no peft_type"},
      {{{"use_dora", true}}, "use_dora = true"},
      {{{"lora_bias", true}}, "lora_bias = true"},
      {{{"layer_replication", {{0, 4}}}}, "layer_replication"},
      {{{"trainable_token_indices", {1, 2}}}, "trainable_token_indices"},
      {{{"init_lora_weights", "pissa"}}, "init_lora_weights = \"pissa\""},
      {{{"init_lora_weights", "loftq"}}, "init_lora_weights = \"loftq\""},
      {{{"rank_pattern", {{"(q|v)_proj", 4}}}}, "(q|v)_proj"},
      {{{"alpha_pattern", {{R"(\bq_proj)", 4}}}}, R"(\bq_proj)"},
      {{{"alpha_pattern", {{R"(q_proj\Z)", 4}}}}, R"(q_proj\Z)"},
      {{{"alpha_pattern", {{R"(\Aq_proj)", 4}}}}, R"(\Aq_proj)"},
      {{{"alpha_pattern", {{R"(q\x5fproj)", 4}}}}, R"(q\x5fproj)"},
      {{{"alpha_pattern", {{R"(q_proj\)", 4}}}}, "is not supported"},
      {{{"alpha_pattern", {{"*q_proj", 4}}}}, "*q_proj"},
      {{{"alpha_pattern", {{".*+q_proj", 4}}}}, ".*+q_proj"},
      {{{"alpha_pattern", {{"^*q_proj", 4}}}}, "^*q_proj"},
      {{{"alpha_pattern", {{".*^q_proj", 4}}}}, ".*^q_proj"},
      {{{"alpha_pattern", {{"q_proj$$", 4}}}}, "q_proj$$"},
      {{{"rank_pattern", {{"q_proj", 2.5}}}}, "whole number"},
      {{{"alpha_pattern", {{"q_proj", "x"}}}}, "must be a number"},
      {{{"r", 0}}, "r must be"},
      {{{"r", "eight"}}, "\"r\""},
      {{{"lora_alpha", "x"}}, "lora_alpha"},
      {{{"modules_to_save", {1}}}, "modules_to_save"},
  };
  for (const Row& row : rows) {
    Json json = {{"peft_type", "LORA"}, {"r", 8}, {"lora_alpha", 16}};
    json.update(row.changes);
    auto config = parse_adapter_config(json.dump(), "adapter_config.json");
    ASSERT_FALSE(config.ok()) << row.part;
    EXPECT_NE(config.error().message.find(row.part), std::string::npos) << config.error().message;
    EXPECT_TRUE(config.error().message.starts_with("adapter_config.json")) << config.error().message;
  }
  for (const Json& harmless : {Json{{"use_dora", false}}, Json{{"init_lora_weights", "gaussian"}}, Json{{"layer_replication", nullptr}},
                               Json{{"modules_to_save", nullptr}}, Json{{"loftq_config", Json::object()}}})
    good(harmless);
}

}  // namespace
}  // namespace fastvlm
