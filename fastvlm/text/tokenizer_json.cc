#include "fastvlm/text/tokenizer_json.h"

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/pretokenizer.h"
#include "fastvlm/text/tokenizer.h"
#include "fastvlm/text/tokenizer_parts.h"

namespace fastvlm {
namespace {

std::string json_quoted(std::string_view text) { return Json(text).dump(); }

// Hugging Face `tokenizers` numbers added tokens on from the end of the vocabulary and ignores the ids in the file, so a
// gap cannot be written down.
Status check_expressible(const TokenizerParts& parts, std::string_view what) {
  auto next = static_cast<std::int32_t>(parts.vocabulary.size());
  if (next > 0 && parts.vocabulary.back().id != next - 1)
    return bad_input("{}: the ids of vocab.json have gaps, which a tokenizer.json cannot express", what);
  for (const AddedToken& token : parts.added_tokens) {
    if (token.id < next && token.id < static_cast<std::int32_t>(parts.vocabulary.size())) continue;
    if (token.id != next)
      return bad_input("{}: the added token \"{}\" has the id {}, but a tokenizer.json can only give it the next free id {}", what,
                       token.content, token.id, next);
    ++next;
  }
  return {};
}

OrderedJson describe_added_token(const AddedToken& token) {
  return {{"id", token.id},  {"content", token.content},       {"single_word", false},    {"lstrip", false},
          {"rstrip", false}, {"normalized", token.normalized}, {"special", token.special}};
}

OrderedJson byte_level() { return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", false}, {"use_regex", false}}; }

// Everything but the model.
OrderedJson describe_pipeline(const TokenizerParts& parts) {
  OrderedJson root = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", OrderedJson::array()}};
  for (const AddedToken& token : parts.added_tokens) root["added_tokens"].push_back(describe_added_token(token));
  const OrderedJson split = {{"type", "Split"}, {"pattern", {{"Regex", kQwen2SplitPattern}}}, {"behavior", "Isolated"}, {"invert", false}};
  root["normalizer"] = {{"type", "NFC"}};
  root["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", OrderedJson::array({split, byte_level()})}};
  root["post_processor"] = byte_level();
  root["decoder"] = byte_level();
  return root;
}

// Written by hand: inserting 150,000 keys into an ordered JSON object takes quadratic time. Merges are single strings,
// which old and new readers understand.
std::string describe_model(const TokenizerParts& parts) {
  std::string text = R"({"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":"","end_of_word_suffix":"",)"
                     R"("fuse_unk":false,"byte_fallback":false,"ignore_merges":false,"vocab":{)";
  const char* separator = "\n";
  for (const VocabularyEntry& entry : parts.vocabulary) {
    text += fmt::format("{}{}:{}", separator, json_quoted(entry.spelling), entry.id);
    separator = ",\n";
  }
  text += "\n},\"merges\":[";
  separator = "\n";
  for (const auto& [left, right] : parts.merges) {
    text += separator + json_quoted(left + " " + right);
    separator = ",\n";
  }
  return text + "\n]}";
}

Result<BuiltTokenizer> build_from_slow_files(const Path& folder) {
  const std::string what = folder.string();
  TRY_ASSIGN(const SlowTokenizerFiles files, read_slow_tokenizer_files(folder));
  TRY_ASSIGN(const TokenizerParts parts, parse_slow_tokenizer(files, what));
  TRY(check_expressible(parts, what));
  std::string text = describe_pipeline(parts).dump();
  text.pop_back();
  text += ",\n\"model\":" + describe_model(parts) + "}\n";
  auto tokenizer = Tokenizer::from_json(text, what);
  if (tokenizer.ok()) return BuiltTokenizer{std::move(text), std::move(*tokenizer)};
  // Whatever is wrong stands in one of the files, which this names.
  TRY(Tokenizer::from_slow_files(files, what));
  return std::move(tokenizer).error();
}

}  // namespace

Result<BuiltTokenizer> build_tokenizer_json(const Path& folder) {
  const Path existing = folder / "tokenizer.json";
  std::error_code ignored;
  if (!std::filesystem::exists(existing, ignored)) return build_from_slow_files(folder);
  TRY_ASSIGN(std::string text, read_file(existing, kMaxTokenizerFileBytes));
  TRY_ASSIGN(Tokenizer tokenizer, Tokenizer::from_json(text, existing.string()));
  return BuiltTokenizer{std::move(text), std::move(tokenizer)};
}

}  // namespace fastvlm
