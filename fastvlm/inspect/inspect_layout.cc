// Folders of export --layout: what layouts.json says.
#include <fmt/ranges.h>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/inspect/inspect_parts.h"

namespace fastvlm::inspecting {
namespace {

constexpr std::uint64_t kMaxBytes = 16 << 20;

}  // namespace

Status add_layout_folder(const InspectOptions& options, InspectReport& report) {
  const Path file = options.path / kLayoutsFile;
  TRY_ASSIGN(const Json json, read_json_file(file, kMaxBytes));
  TRY_ASSIGN(const std::vector<std::string> layouts, json_strings(json, "layouts", file.string()));
  OrderedJson& facts = report.facts;
  facts["kind"] = "folder for another program (export --layout)";
  facts["layouts"] = layouts;
  if (const Json* variants = json_find(json, "variants"); variants != nullptr) facts["variants"] = *variants;
  if (const Json* contexts = json_find(json, "contexts"); contexts != nullptr && contexts->is_object()) facts["contexts"] = *contexts;
  OrderedJson files = OrderedJson::array();
  if (const Json* rows = json_find(json, "files"); rows != nullptr && rows->is_object())
    for (const auto& [name, row] : rows->items()) {
      files.push_back({{"name", name}});
      for (const char* key : {"bytes", "sha256"})
        if (const Json* value = json_find(row, key); value != nullptr) files.back()[key] = *value;
    }
  facts["files"] = std::move(files);
  facts["findings"] = {fmt::format("verify --output-dir {} --layout {} checks it", options.path.string(), fmt::join(layouts, ","))};
  return {};
}

}  // namespace fastvlm::inspecting
