#include "fastvlm/report/html.h"

#include <fmt/core.h>

#include <algorithm>

#include "fastvlm/base/ascii.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/utf8.h"

namespace fastvlm::report {
namespace {

constexpr std::string_view kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --soft: #8881; --first: #2a6fb8; --other: #c4632b; --bad: #c0392b; --good: #2e8b57; --mark: #ffd54a; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; margin: .5rem 0; } th, td { padding: .25rem .75rem; border-bottom: 1px solid var(--line); text-align: left; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
.card { display: grid; grid-template-columns: 12rem 1fr; gap: 1rem; padding: .75rem 0; border-bottom: 1px solid var(--line); }
.card img { max-width: 100%; border-radius: 4px; } .none { color: #888; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .75rem; }
.answer { background: var(--soft); padding: .5rem .75rem; border-radius: 4px; white-space: pre-wrap; overflow-wrap: anywhere; }
.answer b { display: block; font-size: .8rem; font-weight: 600; white-space: normal; }
.first b { color: var(--first); } .other b { color: var(--other); } .bad { color: var(--bad); } .good { color: var(--good); }
.prompt { font-weight: 600; white-space: pre-wrap; } .small { font-size: .85rem; color: #888; overflow-wrap: anywhere; }
mark { background: var(--mark); color: #000; border-radius: 2px; padding: 0 .1em; }
svg { max-width: 100%; height: auto; font: 12px system-ui, sans-serif; } svg text { fill: currentColor; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; } summary { cursor: pointer; } details { overflow-x: auto; }
)";

bool is_control(char32_t c) { return (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7F && c < 0xA0) || c == 0xFFFE || c == 0xFFFF; }

bool looks_like_number(const std::string& text) {
  return !text.empty() && text.find_first_of("0123456789") != std::string::npos &&
         text.find_first_not_of("0123456789.,+-e% \xE2\x80\xA6") == std::string::npos;
}

}  // namespace

std::string escaped(std::string_view text) {
  std::string result;
  for (std::size_t at = 0; at < text.size();) {
    const Utf8Step step = read_utf8(text, at);
    at += step.length;
    switch (step.code_point) {
      case '&': result += "&amp;"; break;
      case '<': result += "&lt;"; break;
      case '>': result += "&gt;"; break;
      case '"': result += "&quot;"; break;
      case '\'': result += "&#39;"; break;
      default: append_utf8(result, is_control(step.code_point) ? kReplacementCharacter : step.code_point);
    }
  }
  return result;
}

std::string page(std::string_view title, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>{0}</title>\n<style>{1}</style>\n</head>\n"
      "<body>\n<h1>{0}</h1>\n{2}</body>\n</html>\n",
      escaped(title), kStyle, body);
}

std::string heading(std::string_view text) { return fmt::format("<h2>{}</h2>\n", escaped(text)); }
std::string paragraph(std::string_view text) { return fmt::format("<p>{}</p>\n", escaped(text)); }

std::string table(const std::vector<std::vector<std::string>>& rows) {
  std::string result = "<table>\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    result += "<tr>";
    for (const std::string& cell : rows[i]) {
      if (i == 0)
        result += fmt::format("<th>{}</th>", escaped(cell));
      else
        result += fmt::format("<td{}>{}</td>", looks_like_number(cell) ? " class=\"number\"" : "", escaped(cell));
    }
    result += "</tr>\n";
  }
  return result + "</table>\n";
}

std::string folded(std::string_view summary, std::string_view body) {
  return fmt::format("<details>\n<summary>{}</summary>\n{}</details>\n", escaped(summary), body);
}

Status check_page_target(const Path& page) {
  constexpr std::string_view kHead = "<!doctype html";
  std::error_code missing;
  if (!std::filesystem::is_regular_file(page, missing)) return {};
  TRY_ASSIGN(const InputFile file, InputFile::open(page));
  std::string head(static_cast<std::size_t>(std::min<std::uint64_t>(kHead.size(), file.size())), '\0');
  TRY(file.read_at(0, std::as_writable_bytes(std::span(head))));
  if (head.empty() || in_small_letters(head) == kHead) return {};
  return bad_usage("{}: this file is there and is no page; choose another name, or remove it", page.string());
}

}  // namespace fastvlm::report
