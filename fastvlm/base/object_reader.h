// Reads one JSON object of a stranger member by member. The first thing that is not as expected is remembered as a sentence that
// names the place, the key and what was expected; from then on every read gives an empty value, so that a reader can be written
// straight down and asked once at its end.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/json.h"

namespace fastvlm {

class ObjectReader {
 public:
  // `problem` outlives the reader and is shared by all readers of one file. `where` names the object: "out/manifest.json: graphs[3]".
  ObjectReader(const Json& json, std::string where, std::optional<Error>& problem);

  bool has(const char* key) const;
  std::string text(const char* key) const;
  bool boolean(const char* key) const;
  // A finite number within these bounds.
  double number(const char* key, double min, double max) const;
  // An integer within these bounds.
  std::int64_t integer(const char* key, std::int64_t min, std::int64_t max) const;
  std::vector<std::string> texts(const char* key) const;
  std::vector<std::int64_t> integers(const char* key, std::int64_t min, std::int64_t max) const;
  std::vector<double> numbers(const char* key) const;

  // A member that is an object; an empty one after a problem.
  ObjectReader object(const char* key) const;
  // Calls f(ObjectReader) for every object of a list.
  template <class F>
  void each(const char* key, F f) const {
    const Json* list = array(key);
    if (list == nullptr) return;
    for (std::size_t i = 0; i < list->size() && !*problem_; ++i) f(ObjectReader((*list)[i], item(key, i), *problem_));
  }
  // Calls f(key, value) for every member of this object.
  template <class F>
  void members(F f) const {
    if (!usable()) return;
    for (const auto& [key, value] : json_->items())
      if (!*problem_) f(key, value);
  }
  // The member as a list, or nullptr after a problem.
  const Json* array(const char* key) const;

  // Remembers "<where>: <sentence>" unless something was wrong already.
  template <class... Args>
  void refuse(fmt::format_string<Args...> text, Args&&... args) const {
    if (!*problem_) *problem_ = bad_input("{}: {}", where_, fmt::format(text, std::forward<Args>(args)...));
  }
  bool failed() const { return problem_->has_value(); }
  std::string item(const char* key, std::size_t index) const { return fmt::format("{}: {}[{}]", where_, key, index); }

 private:
  bool usable() const;
  const Json* member(const char* key, const char* expected, bool (*accept)(const Json&)) const;
  const Json* json_;
  std::string where_;
  std::optional<Error>* problem_;
};

}  // namespace fastvlm
