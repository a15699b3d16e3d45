// The chat prompt in the form FastVLM was trained on (ChatML): an explicit system turn, then user and assistant turns, the
// image first in its user turn and followed by a line feed. A turn without an image has no line feed before its text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"
#include "fastvlm/text/tokenizer.h"

namespace fastvlm {

enum class Role { kUser, kAssistant };

struct ChatTurn {
  Role role = Role::kUser;
  std::string text;
  bool image = false;  // an image stands before the text; only in user turns
};

// Ids with places for images between them: image k lies between pieces[k] and pieces[k + 1], so there is always one piece
// more than images.
struct Prompt {
  std::vector<std::vector<std::int32_t>> pieces;
};

struct ChatPromptOptions {
  std::string system = "You are a helpful assistant.";
  std::vector<std::int32_t> stop_token_ids;  // of the model's configs; <|im_end|> always ends a reply
};

class ChatPrompt {
 public:
  // `tokenizer` must outlive it. Fails when the tokenizer lacks <|im_start|> or <|im_end|>.
  static Result<ChatPrompt> create(const Tokenizer& tokenizer, ChatPromptOptions options = {});

  // The whole conversation, ready for the next reply: system turn, all turns, the head of an assistant turn.
  // Text is searched for ordinary added tokens only: what a user writes cannot end a turn or place an image.
  Prompt conversation(std::span<const ChatTurn> turns) const;

  // What follows a reply in a running conversation: the <|im_end|> of the reply (which the model has sampled but not been
  // fed), the user turn and the head of the next assistant turn.
  Prompt next_turn(const ChatTurn& user) const;

  // True for ids that end a reply: <|im_end|> and those of the configs.
  bool ends_reply(std::int32_t id) const { return id == im_end_ || std::ranges::find(stop_, id) != stop_.end(); }

 private:
  ChatPrompt(const Tokenizer& tokenizer, std::string system) : tokenizer_(&tokenizer), system_(std::move(system)) {}
  void append_text(std::string_view text, Prompt& prompt) const;
  void append_turn(const ChatTurn& turn, Prompt& prompt) const;
  void append_reply_head(Prompt& prompt) const;

  const Tokenizer* tokenizer_;
  std::string system_;
  std::int32_t im_start_ = -1;
  std::int32_t im_end_ = -1;
  std::vector<std::int32_t> stop_;
};

}  // namespace fastvlm
