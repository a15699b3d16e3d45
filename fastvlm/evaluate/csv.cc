#include "fastvlm/evaluate/csv.h"

#include <algorithm>

#include "fastvlm/base/try.h"

namespace fastvlm {

bool CsvReader::at_line_end() const {
  return at_ == text_.size() || text_[at_] == '\n' || (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n');
}

void CsvReader::skip_line() {
  const std::size_t end = text_.find('\n', at_);
  at_ = end == std::string_view::npos ? text_.size() : end + 1;
  ++line_;
}

Result<std::string> CsvReader::quoted_cell() {
  std::string cell;
  const std::size_t begin = at_, first_line = line_;
  for (++at_; at_ < text_.size(); ++at_) {
    if (text_[at_] == '"') {
      if (at_ + 1 == text_.size() || text_[at_ + 1] != '"') break;
      ++at_;
    }
    if (text_[at_] == '\n') ++line_;
    cell.push_back(text_[at_]);
  }
  if (at_ == text_.size()) {
    // The next line may be a good one.
    at_ = begin;
    line_ = first_line;
    return bad_input("a quote is not closed");
  }
  ++at_;
  if (!at_line_end() && text_[at_] != separator_) return bad_input("something stands behind a closing quote");
  return cell;
}

Result<std::string> CsvReader::cell() {
  if (at_ < text_.size() && text_[at_] == '"') return quoted_cell();
  const std::size_t begin = at_;
  while (!at_line_end() && text_[at_] != separator_) ++at_;
  return std::string(text_.substr(begin, at_ - begin));
}

Result<bool> CsvReader::next(CsvRow& row) {
  while (at_ < text_.size() && at_line_end()) skip_line();
  if (at_ == text_.size()) return false;
  row = {.line = line_};
  while (true) {
    auto one = cell();
    if (!one.ok()) {
      skip_line();
      return std::move(one).error();
    }
    row.cells.push_back(*std::move(one));
    if (at_line_end()) break;
    ++at_;
  }
  if (at_ < text_.size()) skip_line();
  return true;
}

}  // namespace fastvlm
