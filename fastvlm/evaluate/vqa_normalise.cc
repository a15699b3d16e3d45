// The normalisation of VQA accuracy, as EvalAI and TextVQA's evaluator do it (answer processor of MMF).
#include <algorithm>
#include <array>
#include <unordered_map>

#include "fastvlm/evaluate/metrics.h"
#include "fastvlm/evaluate/text_forms.h"

namespace fastvlm {
namespace {

constexpr std::string_view kPunctuation = ";/[]\"{}()=+\\_-><@`,?!";
constexpr std::string_view kArticles[] = {"a", "an", "the"};
constexpr std::string_view kNumberWords[] = {"zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"};

// Words whose apostrophes are put back; the published list, its oddities ("somebody'd") included, because scores depend on it.
struct Contraction {
  std::string_view wrong;
  std::string_view right;
};
constexpr Contraction kContractions[] = {
    {"aint", "ain't"},
    {"arent", "aren't"},
    {"cant", "can't"},
    {"couldve", "could've"},
    {"couldnt", "couldn't"},
    {"couldn'tve", "couldn't've"},
    {"couldnt've", "couldn't've"},
    {"didnt", "didn't"},
    {"doesnt", "doesn't"},
    {"dont", "don't"},
    {"hadnt", "hadn't"},
    {"hadnt've", "hadn't've"},
    {"hadn'tve", "hadn't've"},
    {"hasnt", "hasn't"},
    {"havent", "haven't"},
    {"hed", "he'd"},
    {"hed've", "he'd've"},
    {"he'dve", "he'd've"},
    {"hes", "he's"},
    {"howd", "how'd"},
    {"howll", "how'll"},
    {"hows", "how's"},
    {"isnt", "isn't"},
    {"itd", "it'd"},
    {"itd've", "it'd've"},
    {"it'dve", "it'd've"},
    {"itll", "it'll"},
    {"maam", "ma'am"},
    {"mightnt", "mightn't"},
    {"mightnt've", "mightn't've"},
    {"mightn'tve", "mightn't've"},
    {"mightve", "might've"},
    {"mustnt", "mustn't"},
    {"mustve", "must've"},
    {"neednt", "needn't"},
    {"notve", "not've"},
    {"oclock", "o'clock"},
    {"oughtnt", "oughtn't"},
    {"ow's'at", "'ow's'at"},
    {"'ows'at", "'ow's'at"},
    {"'ow'sat", "'ow's'at"},
    {"shant", "shan't"},
    {"shed've", "she'd've"},
    {"she'dve", "she'd've"},
    {"shouldve", "should've"},
    {"shouldnt", "shouldn't"},
    {"shouldnt've", "shouldn't've"},
    {"shouldn'tve", "shouldn't've"},
    {"somebody'd", "somebodyd"},
    {"somebodyd've", "somebody'd've"},
    {"somebody'dve", "somebody'd've"},
    {"somebodyll", "somebody'll"},
    {"somebodys", "somebody's"},
    {"someoned", "someone'd"},
    {"someoned've", "someone'd've"},
    {"someone'dve", "someone'd've"},
    {"someonell", "someone'll"},
    {"someones", "someone's"},
    {"somethingd", "something'd"},
    {"somethingd've", "something'd've"},
    {"something'dve", "something'd've"},
    {"somethingll", "something'll"},
    {"thats", "that's"},
    {"thered", "there'd"},
    {"thered've", "there'd've"},
    {"there'dve", "there'd've"},
    {"therere", "there're"},
    {"theres", "there's"},
    {"theyd", "they'd"},
    {"theyd've", "they'd've"},
    {"they'dve", "they'd've"},
    {"theyll", "they'll"},
    {"theyre", "they're"},
    {"theyve", "they've"},
    {"twas", "'twas"},
    {"wasnt", "wasn't"},
    {"wed've", "we'd've"},
    {"we'dve", "we'd've"},
    {"weve", "we've"},
    {"werent", "weren't"},
    {"whatll", "what'll"},
    {"whatre", "what're"},
    {"whats", "what's"},
    {"whatve", "what've"},
    {"whens", "when's"},
    {"whered", "where'd"},
    {"wheres", "where's"},
    {"whereve", "where've"},
    {"whod", "who'd"},
    {"whod've", "who'd've"},
    {"who'dve", "who'd've"},
    {"wholl", "who'll"},
    {"whos", "who's"},
    {"whove", "who've"},
    {"whyll", "why'll"},
    {"whyre", "why're"},
    {"whys", "why's"},
    {"wont", "won't"},
    {"wouldve", "would've"},
    {"wouldnt", "wouldn't"},
    {"wouldnt've", "wouldn't've"},
    {"wouldn'tve", "wouldn't've"},
    {"yall", "y'all"},
    {"yall'll", "y'all'll"},
    {"y'allll", "y'all'll"},
    {"yall'd've", "y'all'd've"},
    {"y'alld've", "y'all'd've"},
    {"y'all'dve", "y'all'd've"},
    {"youd", "you'd"},
    {"youd've", "you'd've"},
    {"you'dve", "you'd've"},
    {"youll", "you'll"},
    {"youre", "you're"},
    {"youve", "you've"},
};

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool has_comma_between_digits(std::string_view text) {
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    if (text[i] != ',' || !is_digit(text[i - 1])) continue;
    const std::size_t end = text.find_first_not_of(',', i);
    if (end != std::string_view::npos && is_digit(text[end])) return true;
  }
  return false;
}

// A mark beside a blank goes away, one within a word becomes a blank.
std::string without_punctuation(const std::string& text) {
  const bool number = has_comma_between_digits(text);
  std::string result = text;
  for (const char mark : kPunctuation) {
    const std::string one(1, mark);
    const bool beside_blank = text.find(one + " ") != std::string::npos || text.find(" " + one) != std::string::npos;
    result = replaced(std::move(result), one, beside_blank || number ? "" : " ");
  }
  // A period stays where a digit follows.
  std::string clean;
  for (std::size_t i = 0; i < result.size(); ++i)
    if (result[i] != '.' || (i + 1 < result.size() && is_digit(result[i + 1]))) clean += result[i];
  return clean;
}

std::string word_form(std::string_view word) {
  if (word == "none") return "0";
  if (const auto* number = std::ranges::find(kNumberWords, word); number != std::end(kNumberWords))
    return std::to_string(number - std::begin(kNumberWords));
  static const auto mended = [] {
    std::unordered_map<std::string_view, std::string_view> map;
    for (const Contraction& contraction : kContractions) map.emplace(contraction.wrong, contraction.right);
    return map;
  }();
  const auto found = mended.find(word);
  return std::string(found == mended.end() ? word : found->second);
}

}  // namespace

std::string vqa_normalised(std::string_view text) {
  std::string small = replaced(replaced(small_letters(text), ",", ""), "?", "");
  small = replaced(std::move(small), "'s", " 's");
  small = replaced(replaced(std::string(without_margins(small)), "\n", " "), "\t", " ");
  const std::string clean = small_letters(without_punctuation(std::string(without_margins(small))));
  std::string result;
  for (const std::string_view word : words_of(clean)) {
    if (std::ranges::find(kArticles, word) != std::end(kArticles)) continue;
    if (!result.empty()) result += ' ';
    result += word_form(word);
  }
  return result;
}

}  // namespace fastvlm
