// A made-up bundle for the tests that run no graph: contexts of a few bytes that name chip and compiler as real ones do.
#pragma once

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/hash.h"
#include "fastvlm/device/bundle_manifest.h"
#include "fastvlm/device/scripts.h"
#include "fastvlm/device/selftest.h"

namespace fastvlm::device {

inline constexpr const char* kBuildForTests = "v2.51.0.260929181845";

inline SelfTest selftest_for_tests() {
  const StoredTensor pixels{.name = "pixel_values", .shape = {1, 3, 64, 64}, .file = "picture_1/in_pixel_values.raw"};
  const StoredTensor features{.name = "image_features", .shape = {1, 1, 4}, .file = "vision_64/image_features.raw"};
  const StoredTensor zeros{.name = "past_key_0_in", .type = Dtype::kFloat16, .shape = {1, 1, 4, 7}};
  return {.chip = "sm8750",
          .recipe = "fp16",
          .runs = {{.name = "vision_64", .graph = "vision_64", .inputs = {pixels}, .outputs = {features}}},
          .probes = {{.name = "decoder_probed", .graph = "decoder_probed", .inputs = {zeros}, .outputs = {features, features}}},
          .answers = {{.name = "picture_1",
                       .image_size = 64,
                       .question = "What?",
                       .pieces = {{1, 2}, {3}},
                       .ids = {0, 3},
                       .pixel_values = pixels,
                       .image_features = {.name = "image_features", .shape = {1, 1, 4}, .file = "picture_1/image_features.raw"},
                       .logits = {.name = "logits", .shape = {2, 4}, .file = "picture_1/logits.raw"}}}};
}

inline BundleManifest manifest_for_tests() {
  return {.program = "0.1.0",
          .chip = "sm8750",
          .architecture = "HTP v79",
          .soc_model = 69,
          .runtime = "onnxruntime",
          .recipe = "fp16",
          .compiler = kBuildForTests,
          .onnxruntime = "1.29.0",
          .onnxruntime_qnn = "2.7.0",
          .image_sizes = {64},
          .context = 8,
          .contexts = {{.binary = "npu/sm8750/vision_64_ctx_qnn.bin", .graphs = {"vision_64"}}}};
}

// Files, scripts and bundle.json in the folder of the test.
inline BundleManifest write_made_up_bundle(const FolderForTests& folder) {
  folder.write("npu/sm8750/vision_64_ctx_qnn.bin", std::string("\0\1binary\n", 9) + kBuildForTests + std::string(1000, '\0'));
  folder.write("npu/sm8750/vision_64_ctx.onnx", "wrapper v2:6:2.51.0:5.51.0:0:69:8:0 end");
  folder.write("tokenizer.json", "{}");
  BundleManifest manifest = manifest_for_tests();
  manifest.files = list_bundle_files(folder.path()).value();
  for (const auto& [name, text] : bundle_scripts(manifest, selftest_for_tests())) folder.write(name, text);
  manifest.files = list_bundle_files(folder.path()).value();
  folder.write(kBundleFile, bundle_text(manifest));
  return manifest;
}

// The same for Genie.
inline BundleManifest write_made_up_genie_bundle(const FolderForTests& folder) {
  folder.write("genie/vision_64.bin", std::string("\0\1binary\n", 9) + kBuildForTests + std::string(1000, '\0'));
  folder.write("genie/client.cc", "int main() { return 0; }\n");
  folder.write("selftest/question.txt", "What?\n");
  BundleManifest manifest = manifest_for_tests();
  manifest.runtime = kGenie;
  manifest.contexts = {{.binary = "genie/vision_64.bin", .graphs = {"vision_64"}}};
  manifest.files = list_bundle_files(folder.path()).value();
  for (const auto& [name, text] : bundle_scripts(manifest, selftest_for_tests())) folder.write(name, text);
  manifest.files = list_bundle_files(folder.path()).value();
  folder.write(kBundleFile, bundle_text(manifest));
  return manifest;
}

}  // namespace fastvlm::device
