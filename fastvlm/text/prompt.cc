#include "fastvlm/text/prompt.h"

#include "fastvlm/base/assert.h"

namespace fastvlm {

Result<ChatPrompt> ChatPrompt::create(const Tokenizer& tokenizer, ChatPromptOptions options) {
  const auto im_start = tokenizer.token_id("<|im_start|>");
  const auto im_end = tokenizer.token_id("<|im_end|>");
  if (!im_start || !im_end)
    return bad_input("the tokenizer has no token \"{}\", which the chat prompt of FastVLM needs", im_start ? "<|im_end|>" : "<|im_start|>");
  ChatPrompt prompt(tokenizer, std::move(options.system));
  prompt.im_start_ = *im_start;
  prompt.im_end_ = *im_end;
  prompt.stop_ = std::move(options.stop_token_ids);
  return prompt;
}

Prompt ChatPrompt::conversation(std::span<const ChatTurn> turns) const {
  Prompt prompt{{{im_start_}}};
  append_text("system\n" + system_, prompt);
  prompt.pieces.back().push_back(im_end_);
  append_text("\n", prompt);
  for (const ChatTurn& turn : turns) append_turn(turn, prompt);
  append_reply_head(prompt);
  return prompt;
}

Prompt ChatPrompt::next_turn(const ChatTurn& user) const {
  FASTVLM_ASSERT(user.role == Role::kUser, "a reply is followed by a user turn");
  Prompt prompt{{{im_end_}}};
  append_text("\n", prompt);
  append_turn(user, prompt);
  append_reply_head(prompt);
  return prompt;
}

void ChatPrompt::append_text(std::string_view text, Prompt& prompt) const {
  const std::vector<std::int32_t> ids = tokenizer_->encode(text, {.added_tokens = AddedTokens::kOrdinary});
  prompt.pieces.back().insert(prompt.pieces.back().end(), ids.begin(), ids.end());
}

// The line feeds belong to the text beside them: pre-tokenisation joins them with line feeds that the text starts with.
void ChatPrompt::append_turn(const ChatTurn& turn, Prompt& prompt) const {
  FASTVLM_ASSERT(!turn.image || turn.role == Role::kUser, "an image belongs to a user turn");
  const std::string head = turn.role == Role::kUser ? "user\n" : "assistant\n";
  prompt.pieces.back().push_back(im_start_);
  if (turn.image) {
    append_text(head, prompt);
    prompt.pieces.emplace_back();
    append_text("\n" + turn.text, prompt);
  } else {
    append_text(head + turn.text, prompt);
  }
  prompt.pieces.back().push_back(im_end_);
  append_text("\n", prompt);
}

void ChatPrompt::append_reply_head(Prompt& prompt) const {
  prompt.pieces.back().push_back(im_start_);
  append_text("assistant\n", prompt);
}

}  // namespace fastvlm
