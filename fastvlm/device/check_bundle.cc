#include "fastvlm/device/check_bundle.h"

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/names.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::device {
namespace {

constexpr const char* kAgain = "make the bundle again, or copy it again from where it was made";

// "2.51.0" of "v2.51.0.260929181845"; wrappers of older plug-ins spell the short form.
std::string short_version(std::string_view build) {
  if (build.starts_with('v')) build.remove_prefix(1);
  std::size_t end = 0;
  for (int dots = 0; end < build.size(); ++end)
    if (build[end] == '.' && ++dots == 3) break;
  return std::string(build.substr(0, end));
}

Status agree(const Path& file, const ContextFacts& facts, const BundleManifest& manifest) {
  if (!facts.compiler.empty() && short_version(facts.compiler) != short_version(manifest.compiler))
    return bad_input("{}: was compiled with QAIRT {}, but the bundle says {}; contexts of two versions do not run together, so {}",
                     file.string(), short_version(facts.compiler), short_version(manifest.compiler), kAgain);
  if (facts.soc_model && *facts.soc_model != manifest.soc_model)
    return bad_input("{}: was compiled for another chip (SoC number {}) than the bundle, which is for {} ({}); {}", file.string(),
                     *facts.soc_model, manifest.chip, manifest.soc_model, kAgain);
  return {};
}

// The number and the name of a chip that we know belong together; run.sh goes by one, contexts by the other.
Status check_chip(const BundleManifest& manifest) {
  const auto chosen = find_chip(known_targets(), manifest.chip);
  const auto number = chosen.ok() ? number_of(*chosen->chip, "soc_model") : std::nullopt;
  if (!number || *number == manifest.soc_model) return {};
  return bad_input("{}: is for {}, whose SoC number is {}, but says {}; {}", kBundleFile, manifest.chip, *number, manifest.soc_model,
                   kAgain);
}

Status check_sizes(const Path& folder, const BundleManifest& manifest) {
  std::error_code failure;
  for (const auto& [name, file] : manifest.files) {
    const auto bytes = std::filesystem::file_size(folder / name, failure);
    if (failure || bytes == file.bytes) continue;
    return bad_input("{}: has {} bytes, {} says {}, so it was cut off or changed; {}", (folder / name).string(), bytes, kBundleFile,
                     file.bytes, kAgain);
  }
  return {};
}

Status check_hashes(const Path& folder, const BundleManifest& manifest) {
  for (const auto& [name, file] : manifest.files) {
    TRY_ASSIGN(const std::string sha256, sha256_of_file(folder / name));
    if (sha256 != file.sha256)
      return bad_input("{}: its SHA-256 is not the one in {}, so it was changed; {}", (folder / name).string(), kBundleFile, kAgain);
  }
  return {};
}

// Nothing where there is no runtime to read it with.
Result<std::optional<ContextFacts>> binary_facts(const ContextFormat& format, const Path& file, const ContextReading& reading) {
  const auto runtimes = require_runtimes(reading.runtimes, /*with_qnn=*/true);
  if (!runtimes.ok()) return std::optional<ContextFacts>();
  TRY_ASSIGN(const ContextInfo info, format.read_context({.program = reading.program, .runtimes = reading.runtimes, .context = file}));
  ContextFacts facts{.compiler = info.build_id};
  if (info.soc_model) facts.soc_model = *info.soc_model;
  return std::optional(std::move(facts));
}

}  // namespace

std::vector<std::string> self_descriptions(const BundleManifest& manifest) {
  std::vector<std::string> names;
  for (const auto& [name, file] : manifest.files)
    if (format_of_wrapper(known_targets(), Path(name)) != nullptr) names.push_back(name);
  if (manifest.runtime == kGenie)
    for (const BundleContext& context : manifest.contexts) names.push_back(context.binary);
  return names;
}

Result<ContextFacts> context_facts(const Path& file, const ContextReading& reading) {
  const ContextFormat* format = format_of_wrapper(known_targets(), file);
  if (format == nullptr) {
    TRY_ASSIGN(const auto alone, binary_facts(*known_targets().front()->context_format, file, reading));
    return alone.value_or(ContextFacts{});
  }
  TRY_ASSIGN(const ContextWrapper wrapper, format->read_wrapper(file));
  const ContextFacts facts{.compiler = wrapper.ep_sdk_version, .soc_model = wrapper.soc_model};
  if (wrapper.context_file.empty()) return facts;
  TRY_ASSIGN(const auto inside, binary_facts(*format, wrapper.context_file, reading));
  if (!inside) return facts;
  const bool other_chip = facts.soc_model && inside->soc_model && *facts.soc_model != *inside->soc_model;
  if (other_chip || (!facts.compiler.empty() && short_version(facts.compiler) != short_version(inside->compiler)))
    return bad_input("{}: its context says QAIRT {} for SoC number {}, the wrapper {} for {}; they do not belong together", file.string(),
                     short_version(inside->compiler), inside->soc_model.value_or(0), short_version(facts.compiler),
                     facts.soc_model.value_or(0));
  return ContextFacts{.compiler = inside->compiler, .soc_model = inside->soc_model ? inside->soc_model : facts.soc_model};
}

Status check_bundle(const Path& folder, const BundleManifest& manifest, const BundleCheck& check) {
  std::error_code ignored;
  for (const BundleContext& context : manifest.contexts)
    if (!manifest.files.contains(context.binary))
      return bad_input("{}: names the context {} but not its size and hash; {}", kBundleFile, context.binary, kAgain);
  for (const auto& [name, file] : manifest.files)
    if (!std::filesystem::is_regular_file(folder / name, ignored)) return bad_input("{}: is missing; {}", (folder / name).string(), kAgain);
  // Why a file is another one says more than that it is.
  Status unreadable;
  for (const std::string& name : self_descriptions(manifest)) {
    const auto facts = context_facts(folder / name, check.reading);
    if (facts.ok()) TRY(agree(folder / name, *facts, manifest));
    if (!facts.ok() && unreadable.ok()) unreadable = facts.error();
  }
  TRY(check_chip(manifest));
  TRY(check_sizes(folder, manifest));
  if (check.hashes) TRY(check_hashes(folder, manifest));
  return unreadable;
}

}  // namespace fastvlm::device
