// bundle.json: what is in a folder that was made for one machine. Small, strict, without time stamps or absolute paths.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm::device {

inline constexpr const char* kBundleFile = "bundle.json";
inline constexpr const char* kBundleFormat = "fastvlm-npu bundle";
inline constexpr int kBundleVersion = 1;
// What opens the contexts.
inline constexpr const char* kOnnxRuntime = "onnxruntime";
inline constexpr const char* kGenie = "genie";

struct BundleFile {
  std::uint64_t bytes = 0;
  std::string sha256;
  bool operator==(const BundleFile&) const = default;
};

// A context binary and the graphs in it.
struct BundleContext {
  std::string binary;               // "npu/sm8750/vision_256_ctx_qnn.bin"
  std::vector<std::string> graphs;  // "vision_256"
  bool operator==(const BundleContext&) const = default;
};

struct BundleManifest {
  std::string program;       // version of fastvlm-npu that made it
  std::string chip;          // "sm8750"
  std::string architecture;  // "HTP v79"
  std::int64_t soc_model = 0;
  std::string runtime;   // that opens it: kOnnxRuntime or kGenie
  std::string recipe;    // of the decoder: "fp16"
  std::string compiler;  // build of QAIRT that compiled every context: "v2.51.0.260929181845"
  std::string onnxruntime;
  std::string onnxruntime_qnn;
  std::vector<std::int64_t> image_sizes;
  std::int64_t context = 0;  // slots of the cache
  std::vector<BundleContext> contexts;
  std::map<std::string, BundleFile> files;  // all but this one
  bool operator==(const BundleManifest&) const = default;
};

std::string bundle_text(const BundleManifest& manifest);

// Strictly: an Error names the place, the key and what was expected.
Result<BundleManifest> parse_bundle(std::string_view text, const std::string& what);
Result<BundleManifest> read_bundle(const Path& folder);

// Every file below `folder` but bundle.json, with its size and hash.
Result<std::map<std::string, BundleFile>> list_bundle_files(const Path& folder);

}  // namespace fastvlm::device
