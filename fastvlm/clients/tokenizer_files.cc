#include "fastvlm/clients/tokenizer_files.h"

#include <algorithm>
#include <optional>

#include "fastvlm/base/json.h"
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

OrderedJson image_token_row() {
  return {{"content", kImageToken}, {"single_word", false}, {"lstrip", false}, {"rstrip", false}, {"normalized", false}, {"special", true}};
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

std::string config_json(const PreparedExport& prepared, std::int64_t image_token_id) {
  OrderedJson config = OrderedJson::object();
  if (const auto own = prepared.small_files.find("tokenizer_config.json"); own != prepared.small_files.end())
    config = OrderedJson::parse(own->second);
  config["added_tokens_decoder"][std::to_string(image_token_id)] = image_token_row();
  config["chat_template"] = kChatTemplate;
  config["eos_token"] = "<|im_end|>";
  config["pad_token"] = "<|endoftext|>";
  config["tokenizer_class"] = "Qwen2Tokenizer";
  config["processor_class"] = "LlavaProcessor";
  return config.dump(2) + "\n";
}

}  // namespace

Result<TokenizerFiles> tokenizer_files(const PreparedExport& prepared) {
  const auto own = prepared.small_files.find("tokenizer.json");
  if (own == prepared.small_files.end())
    return bad_input("{}: has no tokenizer, which the layout needs; add tokenizer.json, or vocab.json and merges.txt",
                     prepared.options.model_dir.string());
  // It was parsed and checked when it became a side file. Not ordered: that form looks for each of 150000 words from the first on.
  Json tokenizer = Json::parse(own->second);
  if (!tokenizer.contains("added_tokens")) tokenizer["added_tokens"] = Json::array();
  TokenizerFiles files;
  const auto known = added_id(tokenizer, kImageToken);
  files.image_token_id = known ? *known : next_free_id(tokenizer);
  if (files.image_token_id >= prepared.config.text.vocab_size)
    return bad_input("{}: \"{}\" would be token {}, but the embedding table has {} rows", prepared.options.model_dir.string(), kImageToken,
                     files.image_token_id, prepared.config.text.vocab_size);
  if (!known) {
    Json row = image_token_row();
    row["id"] = files.image_token_id;
    tokenizer["added_tokens"].push_back(row);
  }
  files.pad_token_id =
      added_id(tokenizer, "<|endoftext|>").value_or(prepared.config.eos_token_ids.empty() ? 0 : prepared.config.eos_token_ids.front());
  files.tokenizer_json = tokenizer.dump(2) + "\n";
  files.tokenizer_config_json = config_json(prepared, files.image_token_id);
  return files;
}

}  // namespace fastvlm::clients
