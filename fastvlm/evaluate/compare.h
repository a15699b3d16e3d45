// Two models on the same question, led along the same tokens.
#pragma once

#include <span>
#include <vector>

#include "fastvlm/evaluate/evaluate.h"

namespace fastvlm {

// KL(first || other) in nats of the two distributions over the next token, never below 0. Of equal length.
double kl_divergence(std::span<const float> first, std::span<const float> other);

// Tokens that both are led along.
enum class Forced { kGreedy, kGiven };  // the first model's own answer; the first answer of the set
inline constexpr std::string_view kForcedNames[] = {"greedy", "given"};

// An Error when the two do not have the same tokens.
Status check_comparable(const Chat& first, const Chat& other);

// Both greedy answers, then both along the forced tokens. The position behind the last one counts when the answer ends there.
struct ComparedChats {
  Chat& first;
  Chat& other;
};
Result<Answered> compare_question(const ComparedChats& chats, const Question& question, const Question* next, Forced forced);

}  // namespace fastvlm
