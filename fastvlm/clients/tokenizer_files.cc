#include "fastvlm/clients/tokenizer_files.h"

#include <algorithm>
#include <map>
#include <optional>

#include "fastvlm/base/json.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"

namespace fastvlm::clients {
namespace {

// What FastVLM was trained on. The content of a message is a text with "<image>\n" in it, or a list of parts.
constexpr const char* kChatTemplate =
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' }}"
    "{% if message['content'] is string %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>\\n' }}{% else %}{{ part['text'] }}{% endif %}{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

// The same with the marks of onnxruntime-genai in the place of "<image>". The marks are embedded as the line feeds beside a picture, so
// none is written there.
constexpr const char* kMarkedTemplate =
    "{% set picture = '<|vision_start|><|image_pad|><|vision_end|>' %}"
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are a helpful assistant.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] }}"
    "{% if message['content'] is string %}"
    "{% if message['content'][:16] != '<|vision_start|>' %}{{ '\\n' }}{% endif %}{{ message['content'] }}"
    "{% else %}{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ picture }}{% else %}{% if loop.first %}{{ '\\n' }}{% endif %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}"
    "{{ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

OrderedJson token_row(const std::string& content) {
  return {{"content", content}, {"single_word", false}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}, {"special", true}};
}

std::optional<std::int64_t> added_id(const Json& tokenizer, const std::string& content) {
  for (const Json& token : tokenizer.at("added_tokens"))
    if (token.at("content") == content) return token.at("id").get<std::int64_t>();
  return {};
}

std::int64_t next_free_id(const Json& tokenizer) {
  std::int64_t last = -1;
  for (const auto& entry : tokenizer.at("model").at("vocab").items()) last = std::max(last, entry.value().get<std::int64_t>());
  for (const Json& token : tokenizer.at("added_tokens")) last = std::max(last, token.at("id").get<std::int64_t>());
  return last + 1;
}

Result<TokenizerSource> source_of(const PreparedExport& prepared) {
  const auto own = prepared.small_files.find("tokenizer.json"), config = prepared.small_files.find("tokenizer_config.json");
  if (own == prepared.small_files.end())
    return bad_input("{}: has no tokenizer, which the layout needs; add tokenizer.json, or vocab.json and merges.txt",
                     prepared.options.model_dir.string());
  return TokenizerSource{.folder = prepared.options.model_dir.string(),
                         .tokenizer_json = own->second,
                         .tokenizer_config_json = config == prepared.small_files.end() ? "" : config->second,
                         .vocab_size = prepared.config.text.vocab_size,
                         .eos_token_ids = prepared.config.eos_token_ids};
}

// It was parsed and checked when it became a side file. Not ordered: that form looks for each of 150000 words from the first on.
Json read_tokenizer(const TokenizerSource& source) {
  Json tokenizer = Json::parse(source.tokenizer_json);
  if (!tokenizer.contains("added_tokens")) tokenizer["added_tokens"] = Json::array();
  return tokenizer;
}

// The id that the tokenizer has for the word, or else the next free one, which it then has.
Result<std::int64_t> with_token(Json& tokenizer, const std::string& content, const TokenizerSource& source) {
  if (const auto known = added_id(tokenizer, content)) return *known;
  const std::int64_t id = next_free_id(tokenizer);
  if (id >= source.vocab_size)
    return bad_input("{}: \"{}\" would be token {}, but the embedding table has {} rows", source.folder, content, id, source.vocab_size);
  Json row = token_row(content);
  row["id"] = id;
  tokenizer["added_tokens"].push_back(row);
  return id;
}

std::int64_t pad_token(const Json& tokenizer, const TokenizerSource& source) {
  return added_id(tokenizer, "<|endoftext|>").value_or(source.eos_token_ids.empty() ? 0 : source.eos_token_ids.front());
}

OrderedJson config_json(const TokenizerSource& source, const std::map<std::int64_t, std::string>& added, const char* chat_template) {
  OrderedJson config = OrderedJson::object();
  if (!source.tokenizer_config_json.empty()) config = OrderedJson::parse(source.tokenizer_config_json);
  for (const auto& [id, content] : added) config["added_tokens_decoder"][std::to_string(id)] = token_row(content);
  config["chat_template"] = chat_template;
  config["eos_token"] = "<|im_end|>";
  config["pad_token"] = "<|endoftext|>";
  config["tokenizer_class"] = "Qwen2Tokenizer";
  return config;
}

}  // namespace

Result<TokenizerFiles> tokenizer_files(const PreparedExport& prepared) {
  TRY_ASSIGN(const TokenizerSource source, source_of(prepared));
  return tokenizer_files(source);
}

Result<TokenizerFiles> tokenizer_files(const TokenizerSource& source) {
  Json tokenizer = read_tokenizer(source);
  TokenizerFiles files;
  TRY_ASSIGN(files.image_token_id, with_token(tokenizer, kImageToken, source));
  files.pad_token_id = pad_token(tokenizer, source);
  files.tokenizer_json = json_file_text(tokenizer);
  OrderedJson config = config_json(source, {{files.image_token_id, kImageToken}}, kChatTemplate);
  config["processor_class"] = "LlavaProcessor";
  files.tokenizer_config_json = json_file_text(config);
  return files;
}

Result<MarkedTokenizer> marked_tokenizer(const PreparedExport& prepared) {
  TRY_ASSIGN(const TokenizerSource source, source_of(prepared));
  Json tokenizer = read_tokenizer(source);
  const Json& words = tokenizer.at("model").at("vocab");
  const auto line_feed = words.find("\u010a");  // as byte-level vocabularies spell it
  if (line_feed == words.end())
    return bad_input("{}: the tokenizer has no token for a line feed, which stands beside a picture", prepared.options.model_dir.string());
  MarkedTokenizer files;
  files.tokens.line_feed = line_feed->get<std::int64_t>();
  TRY_ASSIGN(files.tokens.begin, with_token(tokenizer, kPictureMarks[0], source));
  TRY_ASSIGN(files.tokens.picture, with_token(tokenizer, kPictureMarks[1], source));
  TRY_ASSIGN(files.tokens.end, with_token(tokenizer, kPictureMarks[2], source));
  files.pad_token_id = pad_token(tokenizer, source);
  files.tokenizer_json = json_file_text(tokenizer);
  const std::map<std::int64_t, std::string> added = {
      {files.tokens.begin, kPictureMarks[0]}, {files.tokens.picture, kPictureMarks[1]}, {files.tokens.end, kPictureMarks[2]}};
  files.tokenizer_config_json = json_file_text(config_json(source, added, kMarkedTemplate));
  return files;
}

}  // namespace fastvlm::clients
