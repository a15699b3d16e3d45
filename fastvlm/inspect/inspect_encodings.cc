// Files of encodings for the QAIRT tools and AIMET, ours or others'.
#include <cstdint>
#include <map>
#include <string>

#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {
namespace {

constexpr std::uint64_t kMostCounted = std::uint64_t{64} << 20;

std::string text_at(const Json& row, const char* key) {
  const Json* value = json_find(row, key);
  return value == nullptr ? "" : plain_text(*value);
}

// What one entry is, in words: "int 8 bit per channel", "float 16 bit", "uint16".
std::string kind_of(const Json& entry) {
  const bool several = entry.is_array() && entry.size() > 1;
  const Json& row = entry.is_array() && !entry.empty() ? entry[0] : entry;
  if (!row.is_object()) return "unknown";
  if (row.contains("bitwidth")) return text_at(row, "dtype") + " " + text_at(row, "bitwidth") + " bit" + (several ? " per channel" : "");
  if (row.contains("bw")) {
    const std::string type = text_at(row, "dtype"), shape = text_at(row, "enc_type");
    std::string kind = (type == "INT" ? "int " : "float ") + text_at(row, "bw") + " bit";
    if (shape == "PER_CHANNEL") kind += " per channel";
    if (shape == "PER_BLOCK" || shape == "LPBQ") kind += " in blocks of " + text_at(row, "block_size");
    return kind;
  }
  return row.contains("output_dtype") ? text_at(row, "output_dtype") : "float";
}

OrderedJson counted(const Json& section) {
  std::map<std::string, std::uint64_t> counts;
  for (const Json& entry : section) ++counts[kind_of(entry)];
  return counts;
}

}  // namespace

bool looks_like_encodings(const Path& path, std::string_view head) {
  if (!head.starts_with('{')) return false;
  return path.extension() == ".encodings" || path.filename().string().find("encodings") != std::string::npos;
}

Status add_encodings(const InspectOptions& options, InspectReport& report) {
  report.facts["kind"] = "encodings for the QAIRT tools and AIMET";
  if (report.facts["bytes"].get<std::uint64_t>() > kMostCounted) {
    report.facts["findings"] = {"too large to count what it holds"};
    return {};
  }
  TRY_ASSIGN(const std::string text, read_file(options.path, kMostCounted));
  TRY_ASSIGN(const Json json, parse_json(text, options.path.string()));
  report.facts["encodings_version"] = text_at(json, "version");
  bool any = false;
  for (const char* key : {"activation_encodings", "param_encodings", "encodings"})
    if (const Json* section = json_find(json, key); section != nullptr && section->is_structured()) {
      report.facts[key] = counted(*section);
      any = true;
    }
  if (!any) return bad_input("{}: holds neither activation_encodings nor encodings, so it is no file of encodings", options.path.string());
  return {};
}

}  // namespace fastvlm::inspecting
