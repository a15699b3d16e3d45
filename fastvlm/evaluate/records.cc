// The forms of files: bytes to records.
#include <algorithm>
#include <optional>

#include "fastvlm/base/try.h"
#include "fastvlm/evaluate/csv.h"
#include "fastvlm/evaluate/question_file.h"

namespace fastvlm {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;
constexpr std::size_t kMaxColumns = 1'000;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr const char* kListNames[] = {"questions", "data", "annotations"};

using UseRecord = std::function<Status(const Record&, const RecordContext&)>;

bool is_blank(std::string_view line) { return line.find_first_not_of(" \t\r\n") == std::string_view::npos; }

// The records of a document, or nothing when it has none.
const Json* list_in(const Json& document) {
  if (document.is_array()) return &document;
  if (!document.is_object()) return nullptr;
  for (const char* name : kListNames)
    if (const Json* list = json_find(document, name); list != nullptr && list->is_array()) return list;
  return nullptr;
}

Status records_of_json(std::string_view text, const UseRecord& use) {
  TRY_ASSIGN(const Json document, parse_json(text, "the file"));
  const Json* list = list_in(document);
  if (list == nullptr) return bad_input("the JSON is no list of questions and has none as \"questions\" or \"data\"");
  RecordContext context;
  if (const Json* subtype = document.is_object() ? json_find(document, "data_subtype") : nullptr;
      subtype != nullptr && subtype->is_string())
    context.data_subtype = subtype->get<std::string>();
  for (const Json& json : *list) TRY(use({.json = json}, context));
  return {};
}

Status records_of_lines(std::string_view text, const UseRecord& use) {
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (is_blank(line)) continue;
    Record record{.line = number};
    if (line.size() > kMaxLineBytes) {
      record.problem = fmt::format("it has {} bytes; at most {} are read", line.size(), kMaxLineBytes);
    } else if (auto json = parse_json(line, "the line"); json.ok()) {
      record.json = *std::move(json);
    } else {
      record.problem = json.error().message;
    }
    TRY(use(record, {}));
  }
  return {};
}

Status records_of_table(std::string_view text, char separator, const UseRecord& use) {
  CsvReader reader(text, separator);
  CsvRow header, row;
  TRY_ASSIGN(const bool has_header, reader.next(header));
  if (!has_header || header.cells.size() > kMaxColumns) return bad_input("it has no header of 1 to {} columns", kMaxColumns);
  while (true) {
    const std::size_t line = reader.line();
    auto more = reader.next(row);
    if (more.ok() && !*more) return {};
    Record record{.line = more.ok() ? row.line : line, .json = Json::object()};
    if (!more.ok()) {
      record.problem = more.error().message;
    } else if (row.cells.size() != header.cells.size()) {
      record.problem = fmt::format("it has {} cells, the header {}", row.cells.size(), header.cells.size());
    } else {
      for (std::size_t i = 0; i < row.cells.size(); ++i)
        if (!row.cells[i].empty()) record.json[header.cells[i]] = row.cells[i];
    }
    TRY(use(record, {}));
  }
}

std::optional<SetFormat> detect(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return std::nullopt;
  if (text[begin] == '[') return SetFormat::kJson;
  const std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
  if (text[begin] == '{') {
    if (const auto first = parse_json(line, "the line"); first.ok())
      return list_in(*first) == nullptr ? SetFormat::kJsonLines : SetFormat::kJson;
    return parse_json(text, "it").ok() ? SetFormat::kJson : SetFormat::kJsonLines;
  }
  if (line.find('\t') != std::string_view::npos) return SetFormat::kTsv;
  if (line.find(',') != std::string_view::npos) return SetFormat::kCsv;
  return std::nullopt;
}

}  // namespace

Result<SetFormat> set_format(std::string_view name) {
  const auto found = std::ranges::find(kSetFormatNames, name);
  if (found == std::end(kSetFormatNames)) return bad_option("format", "{}: is not one of jsonl, json, csv, tsv", name);
  return static_cast<SetFormat>(found - std::begin(kSetFormatNames));
}

Status for_each_record(std::string_view text, SetFormat format, const UseRecord& use) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  if (is_blank(text)) return bad_input("it is empty");
  if (format == SetFormat::kDetect) {
    const auto detected = detect(text);
    if (!detected) return bad_input("it is neither JSON nor a table with a header; say which with `format`");
    format = *detected;
  }
  switch (format) {
    case SetFormat::kJson: return records_of_json(text, use);
    case SetFormat::kCsv: return records_of_table(text, ',', use);
    case SetFormat::kTsv: return records_of_table(text, '\t', use);
    case SetFormat::kJsonLines:
    case SetFormat::kDetect: break;
  }
  return records_of_lines(text, use);
}

}  // namespace fastvlm
