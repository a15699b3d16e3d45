// The options of a verb as rows: how they are written, what help says, where their value goes. A verb file fills a table;
// the parser, the help text, the shell completion and the man page are all made from it. No CLI11 here: it is slow to compile.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"

namespace fastvlm::cli {

// What a shell may offer after the option.
enum class Completes { kNothing, kPath, kFolder, kChip };

struct Option {
  std::string name;  // "--image-size", or "path" for a word without dashes
  std::string type;  // how help writes the value; empty: a flag
  std::string help;
  std::string heading;        // in help; empty: "Options"
  std::string default_value;  // as help shows it; empty: not shown
  std::vector<std::string> choices;
  std::string environment;  // variable that is read when the option is not given
  std::string needs;        // option that must be given too
  std::string excludes;     // option that must not be given too
  Completes completes = Completes::kNothing;
  bool required = false;
  bool list = false;  // several values, with commas or blanks between them

  // Called once with all values; false: one of them is not of the right kind.
  std::function<bool(const std::vector<std::string>&)> take;
  // What is wrong with one value, as a sentence; empty: nothing.
  std::function<std::string(const std::string&)> check;

  Option& set_required(bool yes = true) { return required = yes, *this; }
  Option& show_default();  // what the variable holds now
  Option& read_from(const char* variable) { return environment = variable, *this; }
  Option& refuse_negative();
  Option& complete(Completes what);  // of a chip, "help" also shows all there are
  bool is_flag() const { return type.empty(); }
  bool is_positional() const { return !name.starts_with("-"); }

  std::string current;  // the variable's value when the row was made
};

// One word as a value; false when it is not one. Numbers must fit and leave nothing behind.
bool value_from(const std::string& text, std::string& value);
bool value_from(const std::string& text, std::int64_t& value);
bool value_from(const std::string& text, std::uint64_t& value);
bool value_from(const std::string& text, unsigned& value);
bool value_from(const std::string& text, double& value);

// Rows point to variables, which must live as long as the table.
class OptionTable {
 public:
  // The rows that follow stand under this heading in help.
  OptionTable& heading(std::string text) { return heading_ = std::move(text), *this; }

  Option& path(std::string name, Path& value, std::string help);
  Option& flag(std::string name, bool& value, std::string help, bool given = true);
  Option& choice(std::string name, std::string& value, std::vector<std::string> choices, std::string help);

  template <class T>
  Option& value(std::string name, T& value, std::string type, std::string help) {
    Option& option = add(std::move(name), std::move(type), std::move(help));
    option.take = [&value](const std::vector<std::string>& words) { return value_from(words.back(), value); };
    option.current = shown(value);
    return option;
  }
  template <class T>
  Option& value(std::string name, std::optional<T>& value, std::string type, std::string help) {
    Option& option = add(std::move(name), std::move(type), std::move(help));
    option.take = [&value](const std::vector<std::string>& words) { return value_from(words.back(), value.emplace()); };
    return option;
  }
  // Blanks around an element are left out: "512, 1024" is two numbers.
  template <class T>
  Option& list(std::string name, std::vector<T>& values, std::string type, std::string help) {
    Option& option = add(std::move(name), std::move(type), std::move(help));
    option.list = true;
    option.take = [&values](const std::vector<std::string>& words) {
      values.clear();
      for (const std::string& element : elements(words))
        if (!value_from(element, values.emplace_back())) return false;
      return !values.empty();
    };
    for (const T& one : values) option.current += (option.current.empty() ? "" : ",") + shown(one);
    return option;
  }

  const std::deque<Option>& rows() const { return rows_; }
  std::deque<Option>& rows() { return rows_; }

 private:
  static std::vector<std::string> elements(const std::vector<std::string>& words);
  static std::string shown(const std::string& value) { return value; }
  static std::string shown(double value);
  static std::string shown(std::int64_t value) { return std::to_string(value); }
  static std::string shown(std::uint64_t value) { return std::to_string(value); }
  static std::string shown(unsigned value) { return std::to_string(value); }
  Option& add(std::string name, std::string type, std::string help);

  std::deque<Option> rows_;  // a deque: rows stay where they are
  std::string heading_;
};

}  // namespace fastvlm::cli
