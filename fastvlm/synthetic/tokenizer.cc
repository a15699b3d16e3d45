#include "fastvlm/synthetic/tokenizer.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "fastvlm/base/json_text.h"

namespace fastvlm {
namespace {

// What the first merges are learnt from: the words of questions about pictures and of their answers.
constexpr std::string_view kSample =
    "You are a helpful assistant. What is in the image? What are these? Describe this picture in detail. How many people "
    "are there in the photo? What is the color of the car on the left? Is there a dog or a cat in the picture? Please read "
    "the text on the sign. Where was this photo taken? The image shows a man and a woman standing in front of a house. "
    "There are two dogs playing in the green grass near the water. The man is wearing a red shirt and the woman is wearing "
    "a blue dress. In the background there are some trees and a white building under the clear sky. On the table there is "
    "a cup of coffee, a plate with food and an open book. The person in the middle is holding a small black umbrella. "
    "This is a street in a city with several cars, people walking and a large sign that says stop. The overall scene is "
    "calm and the weather seems to be sunny. The user asks one question and the assistant answers with a short sentence. ";

constexpr std::string_view kChatTemplate =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

constexpr std::string_view kPreTokenizer =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

constexpr std::array<std::string_view, 3> kQwen2Tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
constexpr std::array<std::string_view, 11> kQwen25SpecialTokens = {
    "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",  "<|box_end|>",   "<|quad_start|>", "<|quad_end|>",
    "<|vision_start|>",     "<|vision_end|>",     "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"};
constexpr std::array<std::string_view, 8> kQwen25PlainTokens = {"<tool_call>",    "</tool_call>", "<|fim_prefix|>", "<|fim_middle|>",
                                                                "<|fim_suffix|>", "<|fim_pad|>",  "<|repo_name|>",  "<|file_sep|>"};

// Two-byte UTF-8 up to U+07FF.
std::string utf8(unsigned code) {
  if (code < 0x80) return {static_cast<char>(code)};
  return {static_cast<char>(0xc0 | code >> 6), static_cast<char>(0x80 | (code & 0x3f))};
}

bool is_printable_byte(unsigned byte) { return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae; }

class VocabularyBuilder {
 public:
  explicit VocabularyBuilder(std::size_t size) : size_(size) {
    // Printable bytes keep their character and come first; the others are counted up from U+0100.
    unsigned next = 0x100;
    for (unsigned byte = 0; byte < 256; ++byte)
      if (is_printable_byte(byte)) symbols_[byte] = add(utf8(byte));
    for (unsigned byte = 0; byte < 256; ++byte)
      if (!is_printable_byte(byte)) symbols_[byte] = add(utf8(next++));
  }

  void learn_from(std::string_view text);
  void add_characters();
  void add_letters();
  bool full() const { return made_.tokens.size() >= size_; }
  MadeVocabulary take() { return std::move(made_); }

 private:
  using Word = std::vector<std::size_t>;

  std::size_t add(std::string token) {
    const std::size_t id = made_.tokens.size();
    ids_.emplace(token, id);
    made_.tokens.push_back(std::move(token));
    return id;
  }
  // The token of the two joined; made when it is new and there is room.
  std::size_t merge(std::size_t left, std::size_t right) {
    std::string joined = made_.tokens[left] + made_.tokens[right];
    if (auto at = ids_.find(joined); at != ids_.end()) return at->second;
    if (full()) return left;
    made_.merges.emplace_back(left, right);
    return add(std::move(joined));
  }
  std::size_t symbol(unsigned byte) const { return symbols_[byte]; }
  std::vector<Word> words_of(std::string_view text) const;

  std::size_t size_;
  MadeVocabulary made_;
  std::unordered_map<std::string, std::size_t> ids_;
  std::array<std::size_t, 256> symbols_{};
};

// Words with the space in front of them, as the pre-tokenizer cuts them; punctuation is left out.
std::vector<VocabularyBuilder::Word> VocabularyBuilder::words_of(std::string_view text) const {
  std::vector<Word> words(1);
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    bool letter = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    if (!letter) words.emplace_back();
    if (letter || c == ' ') words.back().push_back(symbol(byte));
  }
  return words;
}

// Byte pair encoding: the most frequent pair becomes a token, again and again, until no pair occurs twice.
void VocabularyBuilder::learn_from(std::string_view text) {
  std::vector<Word> words = words_of(text);
  while (!full()) {
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> counts;
    for (const Word& word : words)
      for (std::size_t i = 1; i < word.size(); ++i) ++counts[{word[i - 1], word[i]}];
    auto best = std::max_element(counts.begin(), counts.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
    if (best == counts.end() || best->second < 2) return;
    const auto [left, right] = best->first;
    const std::size_t joined = merge(left, right);
    for (Word& word : words)
      for (std::size_t i = 1; i < word.size(); ++i) {
        if (word[i - 1] != left || word[i] != right) continue;
        word[i - 1] = joined;
        word.erase(word.begin() + static_cast<std::ptrdiff_t>(i));
      }
  }
}

// Characters of two UTF-8 bytes (Latin, Greek, Cyrillic, …) and of three (E3 to E9: Chinese, Japanese).
void VocabularyBuilder::add_characters() {
  if (full()) return;
  for (unsigned lead = 0xc3; lead <= 0xdf; ++lead)
    for (unsigned next = 0x80; next <= 0xbf; ++next) merge(symbol(lead), symbol(next));
  for (unsigned lead = 0xe3; lead <= 0xe9; ++lead)
    for (unsigned next = 0x80; next <= 0xbf; ++next) {
      const std::size_t begin = merge(symbol(lead), symbol(next));
      for (unsigned last = 0x80; last <= 0xbf && !full(); ++last) merge(begin, symbol(last));
    }
}

// Pairs of lower-case letters, the same behind a space, then pairs joined to four letters.
void VocabularyBuilder::add_letters() {
  if (full()) return;
  std::vector<std::size_t> pairs;
  for (unsigned a = 'a'; a <= 'z'; ++a)
    for (unsigned b = 'a'; b <= 'z'; ++b) pairs.push_back(merge(symbol(a), symbol(b)));
  for (std::size_t pair : pairs) merge(symbol(' '), pair);
  for (std::size_t left : pairs)
    for (std::size_t right : pairs) {
      if (full()) return;
      merge(left, right);
    }
}

std::string json_text(const std::string& text) { return Json(text).dump(); }

std::string vocabulary_json(const MadeVocabulary& vocabulary) {
  std::string json = "{";
  for (std::size_t id = 0; id < vocabulary.tokens.size(); ++id)
    json += fmt::format("{}{}: {}", id == 0 ? "" : ", ", json_text(vocabulary.tokens[id]), id);
  return json + "}";
}

std::string merges_text(const MadeVocabulary& vocabulary) {
  std::string text = "#version: 0.2\n";
  for (const auto& [left, right] : vocabulary.merges) text += vocabulary.tokens[left] + " " + vocabulary.tokens[right] + "\n";
  return text;
}

OrderedJson token_flags(const std::string& text) {
  return {{"content", text}, {"lstrip", false}, {"normalized", false}, {"rstrip", false}, {"single_word", false}};
}

// The three that Qwen2 calls special by role.
OrderedJson roles() {
  return {{"additional_special_tokens", {"<|im_start|>", "<|im_end|>"}}, {"eos_token", "<|im_end|>"}, {"pad_token", "<|endoftext|>"}};
}

OrderedJson added_tokens_json(const std::vector<MadeSpecialToken>& added, std::int64_t first) {
  OrderedJson json;
  for (std::size_t i = 0; i < added.size(); ++i) json[added[i].text] = first + static_cast<std::int64_t>(i);
  return json;
}

OrderedJson tokenizer_config(const std::vector<MadeSpecialToken>& added, std::int64_t first) {
  OrderedJson decoder;
  for (std::size_t i = 0; i < added.size(); ++i) {
    OrderedJson row = token_flags(added[i].text);
    row["special"] = added[i].special;
    decoder[std::to_string(first + static_cast<std::int64_t>(i))] = std::move(row);
  }
  OrderedJson json = {{"add_prefix_space", false}, {"added_tokens_decoder", std::move(decoder)}};
  json.update(roles());
  json.update(OrderedJson{{"bos_token", nullptr},
                          {"chat_template", kChatTemplate},
                          {"clean_up_tokenization_spaces", false},
                          {"errors", "replace"},
                          {"model_max_length", 8192},
                          {"split_special_tokens", false},
                          {"tokenizer_class", "Qwen2Tokenizer"},
                          {"unk_token", nullptr}});
  return json;
}

// The large part is put in as text: an ordered object searches all its keys on every insertion.
std::string tokenizer_json(const MadeVocabulary& vocabulary, const std::vector<MadeSpecialToken>& added, std::int64_t first) {
  OrderedJson rows = OrderedJson::array();
  for (std::size_t i = 0; i < added.size(); ++i) {
    OrderedJson row = {{"id", first + static_cast<std::int64_t>(i)}};
    row.update(token_flags(added[i].text));
    row["special"] = added[i].special;
    rows.push_back(std::move(row));
  }
  const OrderedJson split = {{"type", "Split"}, {"pattern", {{"Regex", kPreTokenizer}}}, {"behavior", "Isolated"}, {"invert", false}};
  const OrderedJson bytes = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", false}};
  const OrderedJson decoder = {{"type", "ByteLevel"}, {"add_prefix_space", true}, {"trim_offsets", true}, {"use_regex", true}};
  OrderedJson json = {{"version", "1.0"}, {"truncation", nullptr}, {"padding", nullptr}, {"added_tokens", std::move(rows)}};
  json["normalizer"] = {{"type", "NFC"}};
  json["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", OrderedJson::array({split, bytes})}};
  json["post_processor"] = nullptr;
  json["decoder"] = decoder;

  std::string merges = "[";
  for (const auto& [left, right] : vocabulary.merges)
    merges +=
        fmt::format("{}[{}, {}]", merges.size() == 1 ? "" : ", ", json_text(vocabulary.tokens[left]), json_text(vocabulary.tokens[right]));
  merges += "]";
  std::string text = json.dump(2);
  text.resize(text.size() - 2);  // the closing brace and its line feed
  text += fmt::format(
      ",\n  \"model\": {{\n    \"type\": \"BPE\", \"dropout\": null, \"unk_token\": null, \"continuing_subword_prefix\": null, "
      "\"end_of_word_suffix\": null,\n    \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false,\n"
      "    \"vocab\": {},\n    \"merges\": {}\n  }}\n}}\n",
      vocabulary_json(vocabulary), merges);
  return text;
}

OrderedJson preprocessor_config(std::int64_t image_size) {
  return {
      {"crop_size", {{"height", image_size}, {"width", image_size}}},
      {"do_center_crop", true},
      {"do_convert_rgb", true},
      {"do_normalize", true},
      {"do_rescale", true},
      {"do_resize", true},
      {"image_mean", {0.0, 0.0, 0.0}},
      {"image_processor_type", "CLIPImageProcessor"},
      {"image_std", {1.0, 1.0, 1.0}},
      {"resample", 3},
      {"rescale_factor", 1.0 / 255},
      {"size", {{"shortest_edge", image_size}}},
  };
}

}  // namespace

MadeVocabulary make_vocabulary(std::size_t size) {
  FASTVLM_ASSERT(size >= 256 && size <= 300'000, "size of a made vocabulary");
  VocabularyBuilder builder(size);
  builder.learn_from(kSample);
  builder.add_characters();
  builder.add_letters();
  FASTVLM_ASSERT(builder.full(), "a made vocabulary can be filled");
  return builder.take();
}

std::vector<MadeSpecialToken> made_special_tokens(CheckpointSize size, CheckpointDialect dialect) {
  std::vector<MadeSpecialToken> tokens;
  for (std::string_view text : kQwen2Tokens) tokens.push_back({std::string(text)});
  if (dialect == CheckpointDialect::kHf) {
    tokens.push_back({"<image>"});
  } else if (facts(size).qwen25_tokens) {
    for (std::string_view text : kQwen25SpecialTokens) tokens.push_back({std::string(text)});
    for (std::string_view text : kQwen25PlainTokens) tokens.push_back({std::string(text), false});
  }
  return tokens;
}

std::vector<MadeTextFile> checkpoint_text_files(CheckpointSize size, CheckpointDialect dialect) {
  const CheckpointSizeFacts& row = facts(size);
  const MadeVocabulary vocabulary = make_vocabulary(static_cast<std::size_t>(row.base_tokens));
  const std::vector<MadeSpecialToken> added = made_special_tokens(size, dialect);
  std::vector<MadeTextFile> files = {{"tokenizer_config.json", json_file_text(tokenizer_config(added, row.base_tokens))}};
  if (dialect == CheckpointDialect::kHf) {
    files.push_back({"tokenizer.json", tokenizer_json(vocabulary, added, row.base_tokens)});
    files.push_back({"preprocessor_config.json", json_file_text(preprocessor_config(row.image_size))});
    return files;
  }
  files.push_back({"vocab.json", vocabulary_json(vocabulary)});
  files.push_back({"merges.txt", merges_text(vocabulary)});
  files.push_back({"added_tokens.json", json_file_text(added_tokens_json(added, row.base_tokens))});
  files.push_back({"special_tokens_map.json", json_file_text(roles())});
  files.push_back(
      {"generation_config.json",
       json_file_text({{"do_sample", true}, {"temperature", nullptr}, {"top_p", nullptr}, {"transformers_version", "4.39.3"}})});
  return files;
}

}  // namespace fastvlm
