// Which of several choices an answer in words means: the rules of MMMU (Yue et al. 2023, parse_multi_choice_response).
#include <algorithm>

#include "fastvlm/evaluate/metrics.h"
#include "fastvlm/evaluate/text_forms.h"

namespace fastvlm {
namespace {

constexpr std::size_t kFewWords = 5;  // shorter answers are not searched for the text of a choice

struct Candidate {
  char letter = 'A';
  std::size_t at = 0;
};

// Where each choice was last said, as `form` says it.
template <class Form>
std::vector<Candidate> said(std::string_view answer, std::span<const Choice> choices, Form form) {
  std::vector<Candidate> found;
  for (const Choice& choice : choices)
    if (const std::size_t at = answer.rfind(form(choice)); at != std::string_view::npos) found.push_back({choice.letter, at});
  return found;
}

std::optional<char> last_of(const std::vector<Candidate>& found) {
  if (found.empty()) return std::nullopt;
  return std::ranges::max_element(found, {}, &Candidate::at)->letter;
}

std::string framed(std::string_view answer) {
  for (const char mark : {',', '.', '!', '?', ';', ':', '\''}) {
    while (answer.starts_with(mark)) answer.remove_prefix(1);
    while (answer.ends_with(mark)) answer.remove_suffix(1);
  }
  return " " + std::string(answer) + " ";
}

}  // namespace

std::optional<char> chosen_letter(std::string_view answer, std::span<const Choice> choices) {
  const std::string text = framed(answer);
  if (auto letter = last_of(said(text, choices, [](const Choice& c) { return fmt::format("({})", c.letter); }))) return letter;
  if (auto letter = last_of(said(text, choices, [](const Choice& c) { return fmt::format(" {} ", c.letter); }))) return letter;
  if (auto letter = last_of(said(text, choices, [](const Choice& c) { return fmt::format("{}.", c.letter); }))) return letter;
  if (words_of(text).size() > kFewWords) {
    if (auto letter = last_of(said(small_letters(text), choices, [](const Choice& c) { return small_letters(c.text); }))) return letter;
  }
  const std::string whole = small_letters(without_margins(text));
  for (const Choice& choice : choices)
    if (small_letters(without_margins(choice.text)) == whole) return choice.letter;
  return std::nullopt;
}

}  // namespace fastvlm
