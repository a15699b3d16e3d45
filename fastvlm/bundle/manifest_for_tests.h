// A manifest in which every section holds something.
#pragma once

#include "fastvlm/base/hash.h"
#include "fastvlm/bundle/made_from.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {

inline GraphEntry entry_for_tests(GraphRole role, const GraphExtents& extents = {}) {
  Graph graph(graph_name(role, extents));
  const Dims dims = is_static(role) ? Dims{1, 3, 64, 64} : Dims{"batch_size", 3, 64, 64};
  Value in = graph.add_input("pixel_values", is_static(role) ? Dtype::kFloat16 : Dtype::kFloat32, dims);
  graph.add_output(graph.add_node("", "Relu", {in}, {{in.dtype(), dims}})[0], "image_features");
  GraphEntry entry = graph_entry(graph, role, extents, in.dtype());
  entry.macs = is_static(role) ? 12 : 0;
  return entry;
}

inline MadeFrom made_from_for_tests() {
  return {.model = std::string(64, 'a'),
          .npu = StaticGraphsMade{.targets = {"sm8750", "sm8650"},
                                  .prefill_logits = false,
                                  .integer_edges = {.cache = Dtype::kUint8, .others = true},
                                  .part_limit_bytes = 7,
                                  .gelu = "auto",
                                  .encodings = "1.0.0",
                                  .recipes = {R"({"name":"fp16","rules":[]})", R"({"name":"w4","rules":[]})"},
                                  .vision_recipe = R"({"name":"w8a16","rules":[]})",
                                  .ranges = RangesUsed{.sha256 = std::string(64, 'b'), .share = 0.125}}};
}

inline Manifest manifest_for_tests() {
  Manifest m{
      .versions = {.fastvlm_npu = "0.1.0", .onnx_opset = 17, .onnx_ir = 8, .onnxruntime = "1.2", .onnxruntime_qnn = "3.4"},
      .model = {.model_type = "llava_qwen2",
                .text = {.hidden_size = 64,
                         .intermediate_size = 128,
                         .num_hidden_layers = 2,
                         .num_attention_heads = 4,
                         .num_key_value_heads = 2,
                         .head_dim = 16,
                         .vocab_size = 512},
                .vision = {.depths = {1, 2}, .channels = {8, 16}, .hidden_size = 256, .head_dim = 32}},
      .preprocessing = {.settings = {.size = 64,
                                     .mode = ImageMode::kCrop,
                                     .resize_to = 72,
                                     .filter = ResizeFilter::kLanczos,
                                     .pad_color = {1, 2, 3},
                                     .rescale_factor = 0.5,
                                     .mean = {0.5, 0.25, 0},
                                     .std = {1, 2, 0.5}},
                        .image_tokens = 1},
      .prompt = {.before_image = "a", .after_image = "b", .splice = "c", .stop_token_ids = {7, 9}, .image_token_id = -200},
      .embedding_int8 = {.file = kInt8TableFile, .scale = 6.9205216535433069e-03, .sqnr_db = 39.975772795268284},
      .embedding_uint16 = {{kUint16TableFile, {.scale = 0.1f, .zero_point = 32767}, 80.5, {"w8a16", "w4a16"}}},
      .findings = {"odd"},
      .losses = {{"w", {.overflowed = 1, .vanished = 2, .not_finite = 3}}},
      .range_scales = {{.name = "a", .largest = "b", .absmax = 70000.5, .halvings = 4, .modules = {"model.layers.0"}}},
      .gelus = {{.name = "a/gelu", .form = "fast", .why = "inputs reach 2"}},
      .weights = {{.name = "w", .file = "npu/vision.onnx.data", .offset = 4096, .bytes = 24, .shape = {2, 3}, .from = {"x"}},
                  {.name = "v", .file = "a.data", .bytes = 2, .type = Dtype::kFloat16, .shape = {1}, .from = {"x", "y"}, .done = "sum"}},
      .targets = {{.chip = "sm8650",
                   .contexts = {{.group = "vision", .binary = "v_qnn.bin", .bytes = 5, .graphs = {{"vision_64", "w.onnx"}}}}},
                  {.chip = "sm8750", .contexts = {{.group = "decoder", .binary = "d.bin", .bytes = 6, .graphs = {{"decoder", ""}}}}}},
      .strange = {{"notes", R"({"by":"somebody else"})"}},
      .files = {{"a.data", {.bytes = 5, .sha256 = "00ff", .made = "weights"}},
                {"npu/vision.onnx.data", {.bytes = std::uint64_t{1} << 40, .sha256 = "11", .made = "weights"}}}};
  set_made_from(made_from_for_tests(), m);
  for (GraphRole role : {GraphRole::kVisionEncoder, GraphRole::kDecoderWithProjection, GraphRole::kTokenEmbedder})
    m.graphs.push_back(entry_for_tests(role));
  m.graphs.push_back(entry_for_tests(GraphRole::kVision, {.image_size = 64}));
  m.graphs.push_back(entry_for_tests(GraphRole::kDecoder, {.new_tokens = 8, .context = 24}));
  m.graphs.push_back(entry_for_tests(GraphRole::kDecoder, {.new_tokens = 1, .context = 24, .part = 2, .parts = 3}));
  m.graphs.push_back(entry_for_tests(GraphRole::kFused, {.vision_tokens = 4, .text_tokens = 6}));
  m.graphs.push_back(entry_for_tests(GraphRole::kDecoder, {.new_tokens = 1, .context = 24, .part = 2, .parts = 3, .recipe = "w4"}));
  m.graphs.back().weight_bits = 4;
  m.graphs.push_back(entry_for_tests(GraphRole::kDecoder, {.new_tokens = 1, .context = 24, .recipe = "w8a16"}));
  m.graphs.back().weight_bits = 8;
  m.graphs.back().activations = Activations::kInt16;
  m.graphs.push_back(entry_for_tests(GraphRole::kVision, {.image_size = 192, .recipe = "w8a16"}));
  m.graphs.back().weight_bits = 8;
  m.graphs.back().activations = Activations::kWhole;
  m.graphs.back().precision = "float32";
  m.graphs.back().inputs[0].type = Dtype::kUint8;
  m.graphs.back().inputs[0].encoding = Encoding{.dtype = Dtype::kUint8, .scale = 0.1F, .zero_point = 3};
  m.graphs.back().outputs[0].type = Dtype::kUint16;
  m.graphs.back().outputs[0].encoding = Encoding{.dtype = Dtype::kUint16, .scale = 1e-9F, .zero_point = 40000};
  return m;
}

}  // namespace fastvlm
