// CSV as RFC 4180 has it: cells in quotes may hold separators, line feeds and doubled quotes.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/result.h"

namespace fastvlm {

struct CsvRow {
  std::size_t line = 0;  // of its first byte, from 1
  std::vector<std::string> cells;
};

class CsvReader {
 public:
  CsvReader(std::string_view text, char separator) : text_(text), separator_(separator) {}

  // False at the end. Blank lines are skipped. A quote that is not closed, or with something behind it, is an Error, after
  // which the next line is read.
  Result<bool> next(CsvRow& row);
  std::size_t line() const { return line_; }

 private:
  Result<std::string> cell();
  Result<std::string> quoted_cell();
  void skip_line();
  bool at_line_end() const;

  std::string_view text_;
  char separator_;
  std::size_t at_ = 0;
  std::size_t line_ = 1;
};

}  // namespace fastvlm
