#include "fastvlm/cli/option_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "fastvlm/targets/registry.h"

namespace fastvlm::cli {
namespace {

template <class T>
bool number_from(const std::string& text, T& value) {
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

}  // namespace

bool value_from(const std::string& text, std::string& value) { return value = text, true; }
bool value_from(const std::string& text, std::int64_t& value) { return number_from(text, value); }
bool value_from(const std::string& text, std::uint64_t& value) { return number_from(text, value); }
bool value_from(const std::string& text, unsigned& value) { return number_from(text, value); }
bool value_from(const std::string& text, double& value) { return number_from(text, value); }

Option& Option::refuse_negative() {
  check = [](const std::string& text) { return text.starts_with("-") ? text + " is below 0" : std::string(); };
  return *this;
}

Option& Option::complete(Completes what) {
  completes = what;
  // A check comes before the question whether all options are there, so the list can be had without them.
  if (what == Completes::kChip)
    check = [](const std::string& text) { return text == "help" || text == "list" ? "\n" + chip_table(known_targets()) : ""; };
  return *this;
}

Option& Option::show_default() { return default_value = current, *this; }

std::string OptionTable::shown(double value) { return fmt::format("{}", value); }

std::vector<std::string> OptionTable::elements(const std::vector<std::string>& words) {
  std::vector<std::string> found;
  for (const std::string& word : words)
    for (std::size_t begin = 0; begin <= word.size();) {
      const std::size_t comma = std::min(word.find(',', begin), word.size());
      const std::size_t first = word.find_first_not_of(" \t", begin);
      if (first < comma) found.push_back(word.substr(first, word.find_last_not_of(" \t", comma - 1) + 1 - first));
      begin = comma + 1;
    }
  return found;
}

Option& OptionTable::add(std::string name, std::string type, std::string help) {
  Option& option = rows_.emplace_back();
  option.name = std::move(name);
  option.type = std::move(type);
  option.help = std::move(help);
  option.heading = heading_;
  return option;
}

Option& OptionTable::path(std::string name, Path& value, std::string help) {
  Option& option = add(std::move(name), "PATH", std::move(help));
  option.completes = Completes::kPath;
  option.take = [&value](const std::vector<std::string>& words) { return value = words.back(), true; };
  option.check = [](const std::string& text) { return text.empty() ? std::string("the path is empty") : std::string(); };
  return option;
}

Option& OptionTable::flag(std::string name, bool& value, std::string help, bool given) {
  Option& option = add(std::move(name), "", std::move(help));
  option.take = [&value, given](const std::vector<std::string>&) { return value = given, true; };
  return option;
}

Option& OptionTable::choice(std::string name, std::string& value, std::vector<std::string> choices, std::string help) {
  std::string type;
  for (const std::string& choice : choices) type += (type.empty() ? "" : "|") + choice;
  Option& option = add(std::move(name), type, std::move(help));
  option.take = [&value](const std::vector<std::string>& words) { return value = words.back(), true; };
  option.check = [choices, type](const std::string& text) {
    const bool known = std::find(choices.begin(), choices.end(), text) != choices.end();
    return known ? std::string() : fmt::format("\"{}\" is not one of {}", text, type);
  };
  option.choices = std::move(choices);
  option.default_value = value;
  return option;
}

}  // namespace fastvlm::cli
