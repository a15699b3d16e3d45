#include <fmt/format.h>

#include "fastvlm/base/version.h"
#include "fastvlm/cli/shell_completion.h"

namespace fastvlm::cli {
namespace {

// Text as roff takes it: no requests, no escapes, dashes that can be copied.
std::string roff(const std::string& text) {
  std::string result;
  for (char c : text) {
    if ((c == '.' || c == '\'') && (result.empty() || result.back() == '\n')) result += "\\&";
    if (c == '-')
      result += "\\-";
    else if (c == '\\')
      result += "\\e";
    else
      result += c;
  }
  return result;
}

std::string option_rows(const OptionTable& options) {
  std::string text;
  for (const Option& option : options.rows()) {
    // The tag is one line: the name in bold, then the type in italics.
    const bool valued = !option.is_flag() && !option.is_positional();
    text +=
        valued ? fmt::format(".TP\n.BI {} \" {}\"", roff(option.name), roff(option.type)) : fmt::format(".TP\n.B {}", roff(option.name));
    std::string help = option.help;
    if (option.required) help += " (required)";
    if (!option.default_value.empty()) help += fmt::format(" (default: {})", option.default_value);
    if (!option.needs.empty()) help += fmt::format(" (needs {})", option.needs);
    if (!option.environment.empty()) help += fmt::format(" (variable: {})", option.environment);
    text += "\n" + roff(help) + "\n";
  }
  return text;
}

std::string literal(const std::string& text) { return ".nf\n" + roff(text) + "\n.fi\n"; }

}  // namespace

std::string manual_page(const CommandTables& tables) {
  std::string text = fmt::format(
      ".TH FASTVLM\\-NPU 1 \"\" \"fastvlm\\-npu {}\"\n"
      ".SH NAME\n"
      "fastvlm\\-npu \\- FastVLM checkpoints to ONNX graphs and Qualcomm NPU contexts\n"
      ".SH SYNOPSIS\n"
      ".B fastvlm\\-npu\n"
      ".I VERB\n"
      "[options]\n"
      ".SH DESCRIPTION\n"
      "Turns FastVLM checkpoints into ONNX graphs and Qualcomm NPU contexts, proves them and talks through them.\n"
      ".SH OPTIONS OF EVERY VERB\n"
      ".TP\n.B \\-\\-help\nShow help; also: fastvlm\\-npu help VERB\n"
      ".TP\n.B \\-\\-version\nShow the version; also: fastvlm\\-npu version\n",
      kVersion);
  text += option_rows(tables.common);
  text += ".SH VERBS\n";
  for (const Verb& verb : tables.verbs) {
    text += fmt::format(".SS {}\n{}.\n", roff(verb.text.name), roff(verb.text.summary));
    if (!verb.text.details.empty()) text += ".PP\n" + roff(verb.text.details) + "\n";
    text += option_rows(verb.options) + ".PP\nExample:\n" + literal(verb.text.examples);
  }
  text +=
      ".SH EXIT STATUS\n"
      "0 done, 1 a check failed, 2 wrong usage, 3 bad input file, 4 environment (runtime missing, disk full), 130 interrupted.\n"
      "With \\-\\-json an error is an object too: {\"error\": {\"kind\", \"message\", \"option\"}} on standard output.\n";
  return text;
}

}  // namespace fastvlm::cli
