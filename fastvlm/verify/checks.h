// The checks of verify, each in a file of its own. Every one adds rows to the report; an Error that comes back ends only the
// check it came from (an interrupt ends everything).
#pragma once

#include "fastvlm/onnx/model_file.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/targets/target.h"
#include "fastvlm/verify/report.h"

namespace fastvlm {

// "npu/decoder", "npu/decoder_w8": the decoder graphs of one recipe in a report.
std::string decoder_subject(const GraphEntry& graph);

struct CheckContext {
  const OutputFolder& folder;
  const OpenGraph& open;  // on the CPU
  VerifyReport& report;
};

// Sizes and hashes of the manifest.
Status check_files(const OutputFolder& folder, VerifyReport& report);

// Every graph well formed, with the operators, extents and widths that belong to it; static ones with the operators of the
// target that they were made for. Nothing runs.
Status check_graphs(const OutputFolder& folder, const Target& target, VerifyReport& report);

// The three plain graphs load and run at several batch sizes and lengths; rows of the table = output of the embedder.
Status check_runs(const CheckContext& context);

// The static graphs under npu/ on the CPU against the plain graphs.
Status check_forms(const CheckContext& context);

// Weights that were copied unchanged, against the checkpoint.
Status check_checkpoint(const OutputFolder& folder, const Path& model_dir, const Path& base_model, VerifyReport& report);
// Whether the tokenizer of the folder has only tokens with a row in the embedding table.
Status check_tokenizer(const OutputFolder& folder, VerifyReport& report);

// Every key of a file with expected values of the form described in tests/data/golden/README.md.
Status check_golden(const CheckContext& context, const Path& reference);

// A decoder that also gives the output of every layer and of the final norm.
OpenGraph with_layer_probes(const OpenGraph& open, std::int64_t num_layers);

// Projected picture vectors [B, N, H] and logits of the plain decoder for "vision first, then text".
struct PlainDecoding {
  Tensor image_features;
  Tensor logits;
};
// The value of the plain decoder at `path` that holds them; an Error where there is none.
Result<std::string> projected_value(const OnnxModel& model, const Path& path);
Result<std::unique_ptr<Runner>> open_plain_decoder_with_projected(const CheckContext& context, std::string& projected);
Result<PlainDecoding> run_plain_decoder(Runner& runner, const std::string& projected, const Tensor& vision_features,
                                        const Tensor& input_ids);

}  // namespace fastvlm
