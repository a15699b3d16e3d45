#include <algorithm>

#include "fastvlm/base/try.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kSteps = 8;  // single tokens behind the prompt
constexpr const char* kCheck = "forms";

const Gate& gate_for(const OutputFolder& folder, Dtype edge) { return folder.half() || edge == Dtype::kFloat16 ? kHalfGate : kStaticGate; }

// The plain graphs, opened once.
struct Plain {
  std::unique_ptr<Runner> encoder;
  std::unique_ptr<Runner> decoder;
  std::string projected;
};

// Of the plain encoder; one of another size than the export's is made from it for this picture.
Result<Tensor> plain_features(const CheckContext& c, Plain& plain, const Tensor& pixels) {
  const std::int64_t size = pixels.shape.back();
  if (size == c.folder.image_size()) return run_for(*plain.encoder, {{"pixel_values", pixels}}, "image_features");
  TRY_ASSIGN(auto encoder, open_at_picture_size(c.folder.path / c.folder.plain(GraphRole::kVisionEncoder).file, size, c.open));
  return run_for(*encoder, {{"pixel_values", pixels}}, "image_features");
}

Status compare_vision(const CheckContext& c, Plain& plain, const GraphEntry& graph) {
  const Tensor pixels = random_floats({1, 3, graph.extents.image_size, graph.extents.image_size}, 0, 1, 11);
  TRY_ASSIGN(Tensor features, plain_features(c, plain, pixels));
  TRY_ASSIGN(PlainDecoding expected,
             run_plain_decoder(*plain.decoder, plain.projected, features, Tensor::of_int64({1, 1}, std::vector<std::int64_t>{0})));
  TRY_ASSIGN(auto runner, c.open(c.folder.path / graph.file));
  TRY_ASSIGN(Tensor actual, run_for(*runner, {{"pixel_values", pixels}}, "image_features"));
  c.report.compare({kCheck, graph.file + " image_features", "tower and projector of the plain graphs",
                    gate_of_bits(graph.weight_bits, gate_for(c.folder, edge_dtype(*runner)))},
                   actual, expected.image_features);
  return {};
}

Status compare_fused(const CheckContext& c, Plain& plain, const GraphEntry& graph) {
  const Tensor vision = random_floats({1, graph.extents.vision_tokens, c.folder.vision_width()}, -1, 1, 12);
  const Tensor ids = random_ids({1, graph.extents.text_tokens}, c.folder.text().vocab_size, 13);
  TRY_ASSIGN(PlainDecoding expected, run_plain_decoder(*plain.decoder, plain.projected, vision, ids));
  TRY_ASSIGN(auto runner, c.open(c.folder.path / graph.file));
  TRY_ASSIGN(Tensor actual, run_for(*runner, {{"vision_features", vision}, {"input_ids", ids}}, "logits"));
  c.report.compare(
      {kCheck, graph.file + " logits", "the plain decoder", gate_of_bits(graph.weight_bits, gate_for(c.folder, edge_dtype(*runner)))},
      actual, expected.logits);
  return {};
}

// The plain decoder sees the whole sequence at once, the static graphs a prompt in chunks and then single tokens.
Status compare_decoder(const CheckContext& c, Plain& plain, const OutputFolder& f) {
  const GraphEntry& decoder = *f.manifest.find(GraphRole::kDecoder);
  const std::string subject = decoder_subject(decoder);
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(f));
  TRY_ASSIGN(DecoderSession session, open_decoder_session(f, c.open));
  if (session.hidden_size() != f.text().hidden_size || session.vocab_size() != f.text().vocab_size)
    return bad_input("the decoder graphs have width {} and {} logits, the manifest says {} and {}", session.hidden_size(),
                     session.vocab_size(), f.text().hidden_size, f.text().vocab_size);
  const std::int64_t total = std::min(session.context(), f.image_tokens() + 2 * kSteps),
                     vision_tokens = std::min(f.image_tokens(), total / 2);
  const std::int64_t steps = std::min(kSteps, total - 1), prompt = total - steps;
  const Tensor vision = random_floats({1, vision_tokens, f.vision_width()}, -1, 1, 14),
               ids = random_ids({1, total - vision_tokens}, f.text().vocab_size, 15);
  TRY_ASSIGN(PlainDecoding expected, run_plain_decoder(*plain.decoder, plain.projected, vision, ids));
  if (expected.image_features.shape != Shape{1, vision_tokens, f.text().hidden_size} ||
      expected.logits.shape != Shape{1, total, f.text().vocab_size})
    return bad_input("the plain decoder gives {} projected features and {} logits", to_string(expected.image_features.shape),
                     to_string(expected.logits.shape));

  TRY_ASSIGN(Tensor text, table.gather(ids.int64s()));
  const Tensor parts[] = {reshaped(std::move(expected.image_features), {vision_tokens, f.text().hidden_size}), std::move(text)};
  const Tensor embeds = stack_rows(parts);
  const Tensor logits = reshaped(std::move(expected.logits), {total, f.text().vocab_size});
  const Gate& gate = gate_of_bits(decoder.weight_bits, gate_for(f, session.dtype()));
  const bool all = session.prefill_has_logits();
  const auto head = embeds.floats().first(static_cast<std::size_t>(prompt * f.text().hidden_size));
  TRY_ASSIGN(std::vector<float> prefill, all ? session.prefill_all(head) : session.prefill(head));
  const std::int64_t rows = all ? prompt : 1;
  c.report.compare({kCheck, subject + " logits of the prompt", fmt::format("the plain decoder, {} tokens in chunks", prompt), gate},
                   Tensor::of_floats({rows, f.text().vocab_size}, prefill), slice_rows(logits, prompt - rows, prompt));
  std::vector<float> stepped;
  for (std::int64_t i = prompt; i < total; ++i) {
    const Tensor row = slice_rows(embeds, i, i + 1);
    TRY_ASSIGN(std::vector<float> step, session.step(row.floats()));
    stepped.insert(stepped.end(), step.begin(), step.end());
  }
  c.report.compare({kCheck, subject + " logits of single tokens", fmt::format("the plain decoder, {} steps with the cache", steps), gate},
                   Tensor::of_floats({steps, f.text().vocab_size}, stepped), slice_rows(logits, prompt, total));
  return {};
}

Status open_plain(const CheckContext& c, Plain& plain) {
  TRY_ASSIGN(plain.encoder, c.open(c.folder.path / c.folder.plain(GraphRole::kVisionEncoder).file));
  TRY_ASSIGN(plain.decoder, open_plain_decoder_with_projected(c, plain.projected));
  return {};
}

}  // namespace

Status check_forms(const CheckContext& c) {
  if (std::ranges::none_of(c.folder.manifest.graphs, &GraphEntry::npu)) return {};
  Plain plain;
  TRY(open_plain(c, plain));
  for (const GraphEntry& graph : c.folder.manifest.graphs) {
    Status status;
    if (graph.role == GraphRole::kVision)
      status = compare_vision(c, plain, graph);
    else if (graph.role == GraphRole::kFused)
      status = compare_fused(c, plain, graph);
    if (!status.ok()) TRY(c.report.fail(kCheck, graph.file, std::move(status).error()));
  }
  for (const std::string& recipe : c.folder.manifest.recipes()) {
    TRY_ASSIGN(const OutputFolder folder, with_recipe(c.folder, recipe));
    const GraphEntry* decoder = folder.manifest.find(GraphRole::kDecoder);
    if (decoder == nullptr) continue;
    if (Status status = compare_decoder(c, plain, folder); !status.ok())
      TRY(c.report.fail(kCheck, decoder_subject(*decoder), std::move(status).error()));
  }
  return {};
}

}  // namespace fastvlm
