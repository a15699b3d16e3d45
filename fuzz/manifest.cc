// Any bytes as manifest.json: an error, or a manifest that is written and read again as the same.
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/base/plain_path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fastvlm;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  auto manifest = parse_manifest(text, "fuzz");
  if (!manifest.ok()) {
    FASTVLM_ASSERT(manifest.error().kind == ErrorKind::kBadInput && !manifest.error().message.empty(), "a sentence about the file");
    return 0;
  }
  const std::string written = manifest_text(*manifest);
  auto again = parse_manifest(written, "written");
  FASTVLM_ASSERT(again.ok(), "what we write can be read");
  FASTVLM_ASSERT(manifest_text(*again) == written, "it stays the same");
  for (const auto& [name, file] : manifest->files) FASTVLM_ASSERT(stays_in_folder(name), "a file of the folder");
  for (const GraphEntry& graph : manifest->graphs)
    FASTVLM_ASSERT(stays_in_folder(graph.file) && is_npu_file(graph.file) == graph.npu(), "a graph in its place");
  return 0;
}
