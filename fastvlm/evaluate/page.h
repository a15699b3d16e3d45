// Results as a page for people: scores, plots, and questions with their pictures and answers.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "fastvlm/evaluate/question_file.h"
#include "fastvlm/evaluate/results.h"
#include "fastvlm/evaluate/summary.h"

namespace fastvlm {

struct PageOptions {
  std::size_t questions = 200;      // shown at most
  int picture_side = 192;           // pixels
  std::vector<std::string> missed;  // bars, as sentences
};

// One file that needs nothing from outside. The same results give the same bytes; it names no path but those of the set.
std::string results_page(const Results& results, const QuestionSet& set, const Summary& summary, const PageOptions& options = {});

// Which rows are worth a look, first things first: failed, answers that part, wrong ones, then by the largest divergence; in the
// order of the set among equals.
std::vector<std::size_t> rows_to_show(const Results& results, std::size_t most);

// Both texts as markup; the first word that differs is marked, or the end of the shorter one.
std::pair<std::string, std::string> marked_departure(std::string_view one, std::string_view other);

// Means over all answers of the divergence at each position, as long as there is one.
std::vector<double> divergence_by_position(const Results& results);

}  // namespace fastvlm
