#include "fastvlm/clients/verify_layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/layouts_file.h"
#include "fastvlm/clients/check_chip_layouts.h"
#include "fastvlm/clients/check_genai.h"
#include "fastvlm/clients/check_layout_files.h"
#include "fastvlm/clients/check_transformers_js.h"
#include "fastvlm/clients/export_layouts.h"

namespace fastvlm::clients {
namespace {

struct Check {
  const char* layout;
  void (*run)(LayoutCheck& check);
};
constexpr Check kChecks[] = {
    {"transformers-js", check_transformers_js}, {"onnxruntime-genai", check_onnxruntime_genai}, {"genie", check_genie}, {"npu", check_npu}};

// Files that are there, against what layouts.json says about them.
Status check_hashes(LayoutCheck& check) {
  std::error_code failure;
  if (!std::filesystem::exists(check.folder / kLayoutsFile, failure)) {
    check.report.skip("hashes", kLayoutsFile, "not there, so no hash was compared");
    return {};
  }
  const auto facts = json_of(check, kLayoutsFile);
  if (!facts) return {};
  const Json files = object(*facts, "files");
  for (const auto& [name, file] : files.items()) {
    if (!std::filesystem::is_regular_file(check.folder / name, failure)) {
      if (!check.report_has(name)) check.report.miss("files", name, "missing, but layouts.json names it");
      continue;
    }
    TRY_ASSIGN(const std::string hash, sha256_of_file(check.folder / name));
    if (hash == text(file, "sha256"))
      check.report.pass("hashes", name, "as layouts.json says");
    else
      check.report.miss("hashes", name, "its bytes are not those that layouts.json names");
  }
  return {};
}

}  // namespace

std::vector<std::string> verifiable_layouts() {
  std::vector<std::string> names;
  for (const Check& check : kChecks) names.push_back(check.layout);
  return names;
}

Result<VerifyReport> verify_layouts(const Path& folder, const std::vector<std::string>& names, const ContextQuestion& reader) {
  std::error_code failure;
  if (!std::filesystem::is_directory(folder, failure)) return bad_input("{}: there is no such folder", folder.string());
  VerifyReport report;
  LayoutCheck check{.folder = folder,
                    .report = report,
                    .reader = reader,
                    .others = names.size() > 1 || std::filesystem::exists(folder / "genai_config.json", failure)};
  for (const std::string& name : names) {
    const auto row = std::ranges::find(kChecks, name, [](const Check& c) { return std::string(c.layout); });
    if (row == std::end(kChecks))
      return bad_option("layouts", "{}: cannot be verified; there are {}", name, fmt::join(verifiable_layouts(), ", "));
    row->run(check);
  }
  TRY(check_hashes(check));
  return report;
}

}  // namespace fastvlm::clients
