#include "fastvlm/device/bundle_manifest.h"

#include "fastvlm/base/hash.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"

namespace fastvlm::device {
namespace {

constexpr std::size_t kMaxBundleBytes = std::size_t{4} << 20;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;

std::string file_name(const ObjectReader& row, const char* key) {
  std::string name = row.text(key);
  if (!row.failed() && !stays_in_folder(name)) row.refuse("the key \"{}\" must name a file in the folder, but is \"{}\"", key, name);
  return name;
}

BundleManifest read(const ObjectReader& row) {
  BundleManifest m{.program = row.text("fastvlm_npu"),
                   .chip = row.text("chip"),
                   .architecture = row.text("architecture"),
                   .soc_model = row.integer("soc_model", 0, kMaxExtent),
                   .runtime = row.text("runtime"),
                   .recipe = row.text("recipe")};
  if (!row.failed() && !is_file_name(m.chip)) row.refuse("\"{}\" is no name of a chip", m.chip);
  const ObjectReader compiled = row.object("compiled_with");
  m.compiler = compiled.text("qairt");
  m.onnxruntime = compiled.text("onnxruntime");
  m.onnxruntime_qnn = compiled.text("onnxruntime_qnn");
  m.image_sizes = row.integers("image_sizes", 1, kMaxExtent);
  m.context = row.integer("context", 0, kMaxExtent);
  row.each("contexts", [&](const ObjectReader& context) {
    m.contexts.push_back({.binary = file_name(context, "binary"), .graphs = context.texts("graphs")});
  });
  row.each("files", [&](const ObjectReader& file) {
    const std::string name = file_name(file, "name");
    const BundleFile entry{.bytes = static_cast<std::uint64_t>(file.integer("bytes", 0, INT64_MAX)), .sha256 = file.text("sha256")};
    if (!m.files.emplace(name, entry).second) file.refuse("the file \"{}\" stands twice", name);
  });
  return m;
}

}  // namespace

std::string bundle_text(const BundleManifest& m) {
  OrderedJson contexts = OrderedJson::array(), files = OrderedJson::array();
  for (const BundleContext& context : m.contexts) contexts.push_back({{"binary", context.binary}, {"graphs", context.graphs}});
  for (const auto& [name, file] : m.files) files.push_back({{"name", name}, {"bytes", file.bytes}, {"sha256", file.sha256}});
  const OrderedJson json = {
      {"format", kBundleFormat},
      {"format_version", kBundleVersion},
      {"fastvlm_npu", m.program},
      {"chip", m.chip},
      {"architecture", m.architecture},
      {"soc_model", m.soc_model},
      {"runtime", m.runtime},
      {"recipe", m.recipe},
      {"compiled_with", {{"qairt", m.compiler}, {"onnxruntime", m.onnxruntime}, {"onnxruntime_qnn", m.onnxruntime_qnn}}},
      {"image_sizes", m.image_sizes},
      {"context", m.context},
      {"contexts", contexts},
      {"files", files}};
  return json.dump(1) + "\n";
}

Result<BundleManifest> parse_bundle(std::string_view text, const std::string& what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  TRY_ASSIGN(const std::string format, json_string(json, "format", what));
  TRY_ASSIGN(const std::int64_t version, json_integer(json, "format_version", what));
  if (format != kBundleFormat) return bad_input("{}: format \"{}\" is not \"{}\"", what, format, kBundleFormat);
  if (version != kBundleVersion)
    return bad_input("{}: written in format version {}, this program reads {}; make the bundle again", what, version, kBundleVersion);
  std::optional<Error> problem;
  BundleManifest manifest = read(ObjectReader(json, what, problem));
  if (problem) return *std::move(problem);
  return manifest;
}

Result<BundleManifest> read_bundle(const Path& folder) {
  const Path path = folder / kBundleFile;
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) return bad_input("{}: there is no such folder", folder.string());
  if (!std::filesystem::exists(path, ignored))
    return bad_input("{}: no {} here, so this is no folder made by bundle", folder.string(), kBundleFile);
  TRY_ASSIGN(const std::string text, read_file(path, kMaxBundleBytes));
  return parse_bundle(text, path.string());
}

Result<std::map<std::string, BundleFile>> list_bundle_files(const Path& folder) {
  std::map<std::string, BundleFile> files;
  std::error_code failure;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder, failure)) {
    if (!entry.is_regular_file(failure)) continue;
    const std::string name = entry.path().lexically_relative(folder).generic_string();
    if (name == kBundleFile) continue;
    TRY_ASSIGN(std::string sha256, sha256_of_file(entry.path()));
    files[name] = {.bytes = entry.file_size(failure), .sha256 = std::move(sha256)};
  }
  if (failure) return bad_environment("{}: cannot be listed ({})", folder.string(), failure.message());
  return files;
}

}  // namespace fastvlm::device
