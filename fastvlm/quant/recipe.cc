#include "fastvlm/quant/recipe.h"

#include <algorithm>
#include <array>
#include <vector>

#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxName = 32;
constexpr std::size_t kMaxPattern = 256;
constexpr std::size_t kMaxRules = 1024;
constexpr std::array<std::int64_t, 4> kBlocks = {16, 32, 64, 128};
constexpr const char* kFloat = "float";

constexpr WeightEncoding kFourBits = {.blocks = {.bits = 4, .block = 32}};
constexpr WeightEncoding kEightBits = eight_bits(Activations::kFloat);
constexpr WeightEncoding kEightBitsByChannel = eight_bits(Activations::kInt16);

std::vector<Recipe> built_in() {
  return {
      {.name = "fp16", .about = "half precision throughout"},
      {.name = "w8", .about = "weights of 8 bits in float graphs: half the size, no calibration", .rules = {{"*", kEightBits}}},
      // The head and the values cost the most for the bits they save; a tied head bears the name of the table.
      {.name = "w4",
       .about = "weights of 4 bits in float graphs, head and values of 8: a third of the size, no calibration",
       .rules = {{"lm_head.weight", kEightBits},
                 {"model.embed_tokens.weight", kEightBits},
                 {"model.multi_modal_projector.*", kEightBits},
                 {"*.v_proj.weight", kEightBits},
                 {"*", kFourBits}}},
      {.name = "w8a16",
       .about = "weights of 8 bits and activations of 16 in integers: half the size, wants --calibration",
       .rules = {{"*", kEightBitsByChannel}},
       .activations = Activations::kInt16},
      {.name = "w4a16",
       .about = "weights of 4 bits and activations of 16 in integers, head, values and down_proj of 8: wants --calibration",
       .rules = {{"lm_head.weight", kEightBitsByChannel},
                 {"model.embed_tokens.weight", kEightBitsByChannel},
                 {"*.v_proj.weight", kEightBitsByChannel},
                 {"*.down_proj.weight", kEightBitsByChannel},
                 {"*", kFourBits}},
       .activations = Activations::kInt16},
      {.name = "w8a16-int",
       .about = "weights of 8 bits, activations of 16 and a cache of 8, no float anywhere: for chips before HTP v73; wants --calibration",
       .rules = {{"*", kEightBitsByChannel}},
       .activations = Activations::kWhole}};
}

// ---- Reading ------------------------------------------------------------------------------------------------------------

// Names become parts of file names, and '_' separates those.
bool is_recipe_name(std::string_view name) {
  auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !name.empty() && name.size() <= kMaxName && name[0] >= 'a' && name[0] <= 'z' && std::ranges::all_of(name, is_plain);
}

bool is_pattern(std::string_view pattern) {
  auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '*';
  };
  return !pattern.empty() && pattern.size() <= kMaxPattern && std::ranges::all_of(pattern, is_plain);
}

void only(const ObjectReader& row, std::initializer_list<std::string_view> known) {
  row.members([&](const std::string& key, const Json&) {
    if (std::ranges::find(known, key) != known.end()) return;
    std::string list;
    for (std::string_view one : known) list += fmt::format("{}\"{}\"", list.empty() ? "" : ", ", one);
    row.refuse("the key \"{}\" is not known; known are {}", key.substr(0, kMaxPattern), list);
  });
}

// Beside activations in integers a scale may belong to an output channel.
WeightEncoding read_channels(const ObjectReader& row, WeightEncoding encoding) {
  encoding.by_channel = true;
  encoding.blocks.block = 0;
  if (!row.failed() && encoding.blocks.bits != 8)
    row.refuse("the key \"bits\" must be 8 without the key \"block\", but is {}", encoding.blocks.bits);
  return encoding;
}

WeightEncoding read_weights(const ObjectReader& row, Activations activations) {
  only(row, {"bits", "block"});
  WeightEncoding encoding;
  encoding.blocks.bits = static_cast<int>(row.integer("bits", 1, 64));
  if (activations != Activations::kFloat && !row.has("block")) return read_channels(row, encoding);
  encoding.blocks.block = row.integer("block", 1, 1 << 20);
  if (row.failed()) return encoding;
  if (encoding.blocks.bits != 4 && encoding.blocks.bits != 8)
    row.refuse("the key \"bits\" must be 4 or 8, but is {}", encoding.blocks.bits);
  if (std::ranges::find(kBlocks, encoding.blocks.block) == kBlocks.end())
    row.refuse("the key \"block\" must be 16, 32, 64 or 128, but is {}", encoding.blocks.block);
  return encoding;
}

EncodingRule read_rule(const ObjectReader& row, const Json& json, Activations activations) {
  only(row, {"match", "weights"});
  EncodingRule rule{.match = row.text("match")};
  if (!row.failed() && !is_pattern(rule.match))
    row.refuse("the key \"match\" must be the name of a weight with '*' for any characters, such as \"*.down_proj.weight\", but is \"{}\"",
               rule.match.substr(0, kMaxPattern));
  const Json* weights = json_find(json, "weights");
  if (weights == nullptr)
    row.refuse("the key \"weights\" is missing; it is \"{}\" or {{\"bits\": 8, \"block\": 64}}", kFloat);
  else if (weights->is_object())
    rule.weights = read_weights(row.object("weights"), activations);
  else if (*weights != kFloat)
    row.refuse("the key \"weights\" must be \"{}\" or an object with bits and block", kFloat);
  return rule;
}

Activations read_activations(const ObjectReader& row) {
  const std::string text = row.text("activations");
  if (const auto known = activations_of(text)) return *known;
  row.refuse("the key \"activations\" must be \"{}\", \"{}\", \"{}\" or \"{}\", but is \"{}\"", name(Activations::kFloat),
             name(Activations::kInt16), name(Activations::kInt16Int8), name(Activations::kWhole), text.substr(0, kMaxPattern));
  return Activations::kFloat;
}

void read_recipe(const ObjectReader& row, Recipe& recipe) {
  only(row, {"name", "about", "activations", "rules"});
  recipe.name = row.text("name");
  if (!row.failed() && !is_recipe_name(recipe.name))
    row.refuse("the key \"name\" must be of a-z, 0-9 and '-', begin with a letter and have at most {} characters, but is \"{}\"", kMaxName,
               recipe.name.substr(0, 2 * kMaxName));
  if (row.has("about")) recipe.about = row.text("about");
  if (row.has("activations")) recipe.activations = read_activations(row);
  const Json* rules = row.array("rules");
  if (rules == nullptr) return;
  if (rules->size() > kMaxRules) return row.refuse("the key \"rules\" holds {} rules; at most {} are read", rules->size(), kMaxRules);
  std::size_t index = 0;
  row.each("rules", [&](const ObjectReader& rule) { recipe.rules.push_back(read_rule(rule, (*rules)[index++], recipe.activations)); });
}

OrderedJson rule_json(const EncodingRule& rule) {
  OrderedJson row = {{"match", rule.match}, {"weights", kFloat}};
  if (!rule.weights) return row;
  row["weights"] = {{"bits", rule.weights->blocks.bits}};
  if (!rule.weights->by_channel) row["weights"]["block"] = rule.weights->blocks.block;
  return row;
}

}  // namespace

std::span<const Recipe> known_recipes() {
  static const std::vector<Recipe> recipes = built_in();
  return recipes;
}

Result<Recipe> parse_recipe(std::string_view text, const std::string& what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  std::optional<Error> problem;
  Recipe recipe;
  read_recipe(ObjectReader(json, what, problem), recipe);
  if (problem) return *std::move(problem);
  for (const Recipe& known : known_recipes())
    if (known.name == recipe.name && (known.rules != recipe.rules || known.activations != recipe.activations))
      return bad_input("{}: \"{}\" is the name of a built-in recipe with other rules; give this one a name of its own", what, recipe.name);
  return recipe;
}

Result<Recipe> find_recipe(const std::string& name, const std::string& option) {
  for (const Recipe& recipe : known_recipes())
    if (recipe.name == name) return recipe;
  if (name.find_first_of("/.") != std::string::npos) {
    TRY_ASSIGN(const std::string text, read_file(name, kMaxBytes));
    return parse_recipe(text, name);
  }
  std::string names;
  for (const Recipe& recipe : known_recipes()) names += (names.empty() ? "" : ", ") + recipe.name;
  return bad_option(option, "{}: is not known; built in are {}, and a file is given by a path such as ./mine.json", name, names);
}

std::string recipe_text(const Recipe& recipe) {
  OrderedJson rules = OrderedJson::array();
  for (const EncodingRule& rule : recipe.rules) rules.push_back(rule_json(rule));
  OrderedJson json = {{"name", recipe.name}};
  if (!recipe.about.empty()) json["about"] = recipe.about;
  if (recipe.activations != Activations::kFloat) json["activations"] = name(recipe.activations);
  json["rules"] = std::move(rules);
  return json.dump(1) + "\n";
}

}  // namespace fastvlm
