#include "fastvlm/evaluate/compare.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

constexpr const char* kTokenizer = "tokenizer.json";

// Logarithm of the sum of exp(logit - largest), plus the largest.
double log_sum(std::span<const float> logits) {
  const double largest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - largest);
  return largest + std::log(sum);
}

std::ptrdiff_t most_likely(std::span<const float> logits) { return std::ranges::max_element(logits) - logits.begin(); }

Status add_position(std::span<const float> first, std::span<const float> other, Comparison& comparison) {
  const auto finite = [](float number) { return std::isfinite(number); };
  if (!std::ranges::all_of(first, finite) || !std::ranges::all_of(other, finite))
    return bad_input("the logits have a number that is not finite; verify tells where it comes from");
  comparison.kl.push_back(kl_divergence(first, other));
  comparison.agrees.push_back(most_likely(first) == most_likely(other) ? 1 : 0);
  return {};
}

std::vector<std::int32_t> tokens_to_force(const Chat& chat, const Reply& greedy, const Question& question, Forced forced) {
  if (forced == Forced::kGreedy) return greedy.ids;
  std::vector<std::int32_t> ids = chat.tokenizer().encode(question.answers.front(), {.added_tokens = AddedTokens::kNone});
  ids.resize(std::min(ids.size(), static_cast<std::size_t>(chat.options().max_new_tokens)));
  return ids;
}

// Side by side, so that only one row of logits of each is in memory.
Status force_both(Chat& first, Chat& other, const Question& question, bool ends, Comparison& comparison) {
  first.restart();
  other.restart();
  TRY_ASSIGN(std::vector<float> one, first.begin_forced(question.prompt));
  TRY_ASSIGN(std::vector<float> two, other.begin_forced(question.prompt));
  if (one.size() != two.size()) return bad_input("the models have {} and {} tokens; they cannot be compared", one.size(), two.size());
  for (std::size_t i = 0;; ++i) {
    const bool last = i == comparison.tokens.size();
    if (!last || ends) TRY(add_position(one, two, comparison));
    if (last) return {};
    if (!first.can_force() || !other.can_force()) {
      comparison.tokens.resize(i);
      return {};
    }
    TRY_ASSIGN(one, first.force(comparison.tokens[i]));
    TRY_ASSIGN(two, other.force(comparison.tokens[i]));
  }
}

}  // namespace

double kl_divergence(std::span<const float> first, std::span<const float> other) {
  FASTVLM_ASSERT(first.size() == other.size() && !first.empty(), "distributions over the same tokens");
  const double first_log = log_sum(first), other_log = log_sum(other);
  double sum = 0;
  for (std::size_t i = 0; i < first.size(); ++i) {
    const double log_probability = first[i] - first_log;
    sum += std::exp(log_probability) * (log_probability - (other[i] - other_log));
  }
  return std::max(sum, 0.0);
}

Status check_comparable(const Chat& first, const Chat& other) {
  const auto tokenizer = [](const Chat& chat) {
    const auto& files = chat.folder().manifest.files;
    const auto found = files.find(kTokenizer);
    return found == files.end() ? std::string() : found->second.sha256;
  };
  if (tokenizer(first) == tokenizer(other) && first.folder().text().vocab_size == other.folder().text().vocab_size) return {};
  return bad_usage("{} and {}: have other tokens, so they cannot be led along the same ones", first.options().folder.string(),
                   other.options().folder.string());
}

Result<Answered> compare_question(const ComparedChats& chats, const Question& question, const Question* next, Forced forced) {
  Chat &first = chats.first, &other = chats.other;
  TRY_ASSIGN(Answered answered, answer_question(first, question, next));
  if (!answered.error.empty()) return answered;
  TRY_ASSIGN(Answered answered_by_other, answer_question(other, question, next));
  if (!answered_by_other.error.empty()) return answered_by_other;
  Comparison comparison{.reply = std::move(answered_by_other.reply)};
  comparison.tokens = tokens_to_force(first, answered.reply, question, forced);
  const bool ends = forced == Forced::kGiven || answered.reply.finish == name(Finish::kStopToken);
  TRY(force_both(first, other, question, ends, comparison));
  answered.comparison = std::move(comparison);
  return answered;
}

}  // namespace fastvlm
