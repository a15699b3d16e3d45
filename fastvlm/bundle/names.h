// The names of the files in an output folder. Nobody else spells them.
#pragma once

#include <string>
#include <string_view>

namespace fastvlm {

inline constexpr const char* kManifestFile = "manifest.json";

// The graphs of every export, and their files.
inline constexpr const char* kVisionEncoderName = "fastvlm_vision_encoder";
inline constexpr const char* kDecoderName = "fastvlm_decoder_with_projection";
inline constexpr const char* kTokenEmbedderName = "fastvlm_token_embedder";

inline constexpr const char* kFloatTableFile = "embedding_float32_lut.bin";
inline constexpr const char* kInt8TableFile = "embedding_int8_lut.bin";
// The first; a further one, "embedding_uint16_lut_<recipe>.bin", begins alike.
inline constexpr std::string_view kUint16TableStart = "embedding_uint16_lut";
inline constexpr const char* kUint16TableFile = "embedding_uint16_lut.bin";

// Below it lies what belongs to NPUs: the static graphs, their weights, and a folder of contexts for each chip.
inline constexpr const char* kNpuFolder = "npu";

// "npu/<name>".
std::string npu_file(std::string_view name);
bool is_npu_file(std::string_view file);

// "<name>.onnx"; a static one lies below npu/.
std::string graph_file(std::string_view name, bool npu);
// The external data of a plain graph, beside it: "<file>.data".
std::string data_file_of(std::string_view graph_file);
// The external data of a group of static graphs, relative to npu/. Parts share one file: "decoder_part_1_of_3" -> "decoder.onnx.data".
// Those of a recipe have a file of their own: "decoder_w8.onnx.data".
std::string data_file_of_group(std::string_view group, std::string_view recipe);

// What was compiled for a chip lies below "npu/<chip>/".
std::string compiled_folder(std::string_view chip);

}  // namespace fastvlm
