#include "fastvlm/export/reuse.h"

#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/base/version.h"

namespace fastvlm {
namespace {

// Whether `inner` is `outer` or lies below it. What does not exist yet counts by its name.
bool is_within(const Path& inner, const Path& outer) {
  std::error_code ignored;
  const Path a = std::filesystem::weakly_canonical(inner, ignored), b = std::filesystem::weakly_canonical(outer, ignored);
  const Path relative = a.lexically_relative(b);
  return !relative.empty() && *relative.begin() != "..";
}

}  // namespace

Status check_reuse(const ExportOptions& options) {
  const Path& old = options.reuse;
  if (old.empty()) return {};
  TRY_ASSIGN(const Manifest manifest, read_manifest(old));
  if (is_within(old, options.output_dir) || is_within(options.output_dir, old))
    return bad_option("reuse", "{}: must be another folder than the one that is written, {}, and neither in the other", old.string(),
                      options.output_dir.string());
  if (manifest.versions.fastvlm_npu != kVersion)
    return bad_option("reuse", "{}: was written by version {}, this is {}; export without it once", old.string(),
                      manifest.versions.fastvlm_npu, kVersion);
  if (manifest.dtype != options.dtype)
    return bad_option("reuse", "{}: its weights are {}, those of this export {}; name one with the same options", old.string(),
                      name(manifest.dtype), name(options.dtype));
  return {};
}

Status check_reuse(const ExportOptions& options, const std::vector<PlannedFile>& planned) {
  if (options.reuse.empty()) return {};
  TRY_ASSIGN(const Manifest manifest, read_manifest(options.reuse));
  const auto is_there = [&](const PlannedFile& file) {
    const auto found = manifest.files.find(file.name);
    return file.made == "weights" && found != manifest.files.end() && found->second.bytes == file.bytes;
  };
  if (std::ranges::none_of(planned, is_there))
    return bad_option("reuse", "{}: none of its weight files has the size of one of this export; it is of another model",
                      options.reuse.string());
  return {};
}

}  // namespace fastvlm
