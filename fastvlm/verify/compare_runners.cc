#include "fastvlm/verify/compare_runners.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <span>

#include "fastvlm/base/try.h"
#include "fastvlm/image/made_up_picture.h"
#include "fastvlm/image/preprocess.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/session/decoder_session.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/session/run_memory.h"
#include "fastvlm/tensor/convert.h"
#include "fastvlm/verify/choices.h"

namespace fastvlm {
namespace {

constexpr const char* kCheck = "npu";
constexpr std::int64_t kSteps = 8;

// ---- The first value that departs ---------------------------------------------------------------------------------------

// SNR of every value, in order.
Result<std::vector<double>> measure(const ComparedGraph& graph, const std::vector<std::string>& values,
                                    const std::vector<NamedTensor>& inputs) {
  TRY_ASSIGN(auto reference, open_probed(graph.model, values, graph.open_reference));
  TRY_ASSIGN(auto expected, run_converted(*reference, inputs, values));
  TRY_ASSIGN(auto candidate, open_probed(graph.model, values, graph.open_candidate));
  TRY_ASSIGN(auto actual, run_converted(*candidate, inputs, values));
  std::vector<double> snr;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor &a = actual[i].tensor, &e = expected[i].tensor;
    if (a.dtype != Dtype::kFloat32 || e.dtype != Dtype::kFloat32 || a.bytes.size() != e.bytes.size())
      return bad_input("{}: \"{}\" has another type or shape on the two runners", graph.model.string(), values[i]);
    snr.push_back(compare(a.floats(), e.floats()).snr_db);
  }
  return snr;
}

std::optional<std::size_t> first_below(const std::vector<double>& snr, double gate) {
  auto at = std::ranges::find_if(snr, [&](double value) { return !(value >= gate); });
  return at == snr.end() ? std::nullopt : std::optional(static_cast<std::size_t>(at - snr.begin()));
}

Departure departure_at(const OnnxModel& model, const std::string& value, double snr) {
  const OnnxIndex index(model);
  const OnnxNode* node = index.producer(value);
  return {.value = value, .op = node == nullptr ? "" : operator_name(node->domain, node->op), .snr_db = snr};
}

// What a DequantizeLinear makes was compared where its codes were made, and as an output it takes the operator behind it apart.
void leave_out_dequantised(const OnnxIndex& index, std::vector<std::string>& values) {
  std::erase_if(values, [&](const std::string& value) {
    const OnnxNode* node = index.producer(value);
    return node != nullptr && node->op == "DequantizeLinear";
  });
}

// ---- Comparing ----------------------------------------------------------------------------------------------------------

struct Both {
  const OutputFolder& folder;  // with the decoder graphs of one recipe
  const NpuComparison& how;
  VerifyReport& report;
};

Status explain(const Both& b, const Path& model, const std::vector<NamedTensor>& inputs, double min_snr_db) {
  const std::string subject = model.filename().string();
  auto found = first_departure(
      {model, b.how.open_reference, b.how.open_candidate, b.how.target == nullptr ? nullptr : b.how.target->is_joined, min_snr_db}, inputs);
  if (!found.ok()) {
    if (found.error().kind == ErrorKind::kInterrupted) return found.error();
    b.report.skip(kCheck, subject, "the first value that departs could not be found: " + found.error().message);
  } else if (!*found) {
    b.report.skip(kCheck, subject, "with probes in place no value departs, so the error comes from how the NPU joins the nodes");
  } else {
    b.report.miss(
        kCheck, subject,
        fmt::format("the first value that departs is \"{}\" ({}), with {:.1f} dB", (*found)->value, (*found)->op, (*found)->snr_db));
  }
  return {};
}

Status compare_stateless(const Both& b, const GraphEntry& graph, const std::vector<NamedTensor>& inputs, const Gate& gate) {
  const Path path = b.folder.path / graph.file;
  TRY_ASSIGN(auto reference, b.how.open_reference(path));
  TRY_ASSIGN(auto expected, run_converted(*reference, inputs));
  TRY_ASSIGN(auto candidate, b.how.open_candidate(path));
  TRY_ASSIGN(auto actual, run_converted(*candidate, inputs));
  bool good = expected.size() == actual.size();
  if (!good) b.report.miss(kCheck, graph.file, fmt::format("has {} outputs on the NPU, {} on the CPU", actual.size(), expected.size()));
  for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i)
    good = b.report.compare({kCheck, fmt::format("{} {}", graph.file, expected[i].name), "NPU against CPU", gate}, actual[i].tensor,
                            expected[i].tensor) &&
           good;
  return good ? Status() : explain(b, path, inputs, gate.min_snr_db);
}

// Tokens [begin, end) of what a layer keeps [heads, tokens, size].
Tensor tokens_of(const Tensor& cache, std::int64_t begin, std::int64_t end) {
  std::vector<Tensor> heads;
  for (std::int64_t head = 0; head < cache.shape[0]; ++head)
    heads.push_back(slice_rows(reshaped(slice_rows(cache, head, head + 1), {cache.shape[1], cache.shape[2]}), begin, end));
  return stack_rows(heads);
}

class DecoderComparison {
 public:
  DecoderComparison(const Both& both, DecoderSession reference, DecoderSession candidate, RunMemory& memory)
      : b_(both), reference_(std::move(reference)), candidate_(std::move(candidate)), memory_(memory) {}

  Status run(const Tensor& prompt, const EmbeddingTable& table) {
    TRY_ASSIGN(std::vector<float> expected, feed(reference_, prompt));
    TRY_ASSIGN(std::vector<float> actual, feed(candidate_, prompt));
    const std::int64_t vocabulary = reference_.vocab_size();
    bool good = compare_logits("prompt", expected, actual);
    good = compare_cache("prompt", 0, reference_.cached()) && good;
    if (!good) TRY(explain_graphs(/*prompt=*/true));

    const std::int64_t begin = reference_.cached(), steps = std::min(kSteps, reference_.context() - reference_.position());
    expected.erase(expected.begin(), expected.end() - vocabulary);
    actual.erase(actual.begin(), actual.end() - vocabulary);
    std::vector<float> all_expected = expected, all_actual = actual;
    std::vector<std::int32_t> chosen = {static_cast<std::int32_t>(index_of_largest(actual))};
    for (std::int64_t i = 0; i < steps; ++i) {
      // Both are fed the reference's choice, so that one other choice does not spoil the rest.
      const std::int64_t id = index_of_largest(expected);
      TRY_ASSIGN(expected, reference_.step(table.row(id)));
      TRY_ASSIGN(actual, candidate_.step(table.row(id)));
      all_expected.insert(all_expected.end(), expected.begin(), expected.end());
      all_actual.insert(all_actual.end(), actual.begin(), actual.end());
      chosen.push_back(static_cast<std::int32_t>(index_of_largest(actual)));
    }
    const std::span behind_prompt(all_expected), candidates(all_actual);
    const auto first = static_cast<std::size_t>(vocabulary);
    good = steps == 0 || compare_logits("single tokens", behind_prompt.subspan(first), candidates.subspan(first));
    good = compare_cache("single tokens", begin, reference_.cached()) && good;
    const Choices choices = compare_choices(all_expected, all_actual, chosen);
    if (choices.other)
      b_.report.miss(kCheck, subject_ + " greedy ids", "NPU against CPU: " + describe(choices));
    else
      b_.report.pass(kCheck, subject_ + " greedy ids", describe(choices));
    return good ? Status() : explain_graphs(/*prompt=*/false);
  }

 private:
  static Result<std::vector<float>> feed(DecoderSession& session, const Tensor& prompt) {
    return session.prefill_has_logits() ? session.prefill_all(prompt.floats()) : session.prefill(prompt.floats());
  }

  bool compare_logits(const char* what, std::span<const float> expected, std::span<const float> actual) {
    const std::int64_t vocabulary = reference_.vocab_size();
    auto tensor = [&](std::span<const float> values) {
      return Tensor::of_floats({static_cast<std::int64_t>(values.size()) / vocabulary, vocabulary}, values);
    };
    return b_.report.compare({kCheck, fmt::format("{} logits of the {}", subject_, what), "NPU against CPU", b_.how.gates.logits},
                             tensor(actual), tensor(expected));
  }

  bool compare_cache(const char* what, std::int64_t begin, std::int64_t end) {
    bool good = true;
    if (begin == end) return good;
    for (std::int64_t layer = 0; layer < reference_.num_layers(); ++layer) {
      auto compare = [&](const char* kind, const Tensor& actual, const Tensor& expected) {
        good = b_.report.compare(
                   {kCheck, fmt::format("{} {} of layer {}, {}", subject_, kind, layer, what), "NPU against CPU", b_.how.gates.cache},
                   tokens_of(actual, begin, end), tokens_of(expected, begin, end)) &&
               good;
      };
      compare("keys", candidate_.keys(layer), reference_.keys(layer));
      compare("values", candidate_.values(layer), reference_.values(layer));
    }
    return good;
  }

  // The graphs that took part, on what the reference fed them last.
  Status explain_graphs(bool prompt) {
    for (const GraphEntry& graph : b_.folder.manifest.graphs) {
      auto inputs = memory_.find((b_.folder.path / graph.file).string());
      if (graph.role != GraphRole::kDecoder || (graph.extents.new_tokens > 1) != prompt || inputs == memory_.end() ||
          inputs->second.empty())
        continue;
      TRY(explain(b_, b_.folder.path / graph.file, inputs->second, b_.how.gates.logits.min_snr_db));
    }
    return {};
  }

  const Both& b_;
  DecoderSession reference_, candidate_;
  RunMemory& memory_;
  const std::string subject_ = decoder_subject(*b_.folder.manifest.find(GraphRole::kDecoder));
};

// An example of exactly that shape, or nothing.
const Tensor* example(const Both& b, const std::string& name, const Shape& shape) {
  for (const NamedTensor& tensor : b.how.examples)
    if (tensor.name == name && tensor.tensor.shape == shape) return &tensor.tensor;
  return nullptr;
}

// The chat prompt of the examples where it leaves room for the steps.
std::optional<Tensor> example_prompt(const Both& b, std::int64_t context) {
  for (const NamedTensor& tensor : b.how.examples) {
    const Shape& shape = tensor.tensor.shape;
    if (tensor.name == "chat.hidden.0" && shape.size() == 3 && shape[0] == 1 && shape[2] == b.folder.text().hidden_size &&
        shape[1] + kSteps <= context)
      return Tensor{tensor.tensor.dtype, {shape[1], shape[2]}, tensor.tensor.bytes};
  }
  return std::nullopt;
}

// A picture's worth of vectors and some text, in the proportions of a real prompt.
Result<Tensor> made_up_prompt(const Both& b, const EmbeddingTable& table, std::int64_t context) {
  const OutputFolder& f = b.folder;
  const std::int64_t total = std::clamp<std::int64_t>(f.image_tokens() + 2 * kSteps, 1, std::max<std::int64_t>(1, context - kSteps));
  const std::int64_t vision = std::min(f.image_tokens(), total / 2);
  TRY_ASSIGN(Tensor prompt, table.gather(random_ids({total}, f.text().vocab_size, 21).int64s()));
  // Vectors of the size of a picture's, from the graph itself where there is one.
  Tensor picture = random_floats({vision, f.text().hidden_size}, -1, 1, 22);
  if (const GraphEntry* graph = f.vision(f.image_size()); graph != nullptr) {
    TRY_ASSIGN(auto runner, b.how.open_reference(f.path / graph->file));
    TRY_ASSIGN(Tensor features,
               run_for(*runner, {{"pixel_values", random_floats({1, 3, f.image_size(), f.image_size()}, 0, 1, 23)}}, "image_features"));
    if (features.shape == Shape{1, f.image_tokens(), f.text().hidden_size})
      picture = slice_rows(reshaped(std::move(features), {f.image_tokens(), f.text().hidden_size}), 0, vision);
  }
  std::ranges::copy(picture.floats(), prompt.floats().begin() + total / 4 * f.text().hidden_size);
  return prompt;
}

Status compare_decoders(const Both& b) {
  RunMemory memory;
  TRY_ASSIGN(EmbeddingTable table, EmbeddingTable::open(b.folder));
  TRY_ASSIGN(DecoderSession reference, open_decoder_session(b.folder, remembering(b.how.open_reference, memory)));
  TRY_ASSIGN(DecoderSession candidate, open_decoder_session(b.folder, b.how.open_candidate));
  if (reference.hidden_size() != table.width() || reference.vocab_size() != table.rows())
    return bad_input("the decoder graphs have width {} and {} logits, the table is [{}, {}]", reference.hidden_size(),
                     reference.vocab_size(), table.rows(), table.width());
  std::optional<Tensor> given = example_prompt(b, reference.context());
  if (!given) {
    TRY_ASSIGN(given, made_up_prompt(b, table, reference.context()));
  }
  const Tensor& prompt = *given;
  return DecoderComparison(b, std::move(reference), std::move(candidate), memory).run(prompt, table);
}

// Noise, which is hard to compute in halves. Codes have the room that pictures need, so those get a drawn one.
Tensor made_up_pixels(const Both& b, const GraphEntry& graph) {
  const std::int64_t size = graph.extents.image_size;
  Tensor pixels = random_floats({1, 3, size, size}, 0, 1, 24);
  if (graph.activations != Activations::kFloat)
    to_pixel_values(made_up_picture(static_cast<int>(size), 0), b.folder.manifest.preprocessing.settings, pixels.floats());
  return pixels;
}

Status compare_one(const Both& b, const GraphEntry& graph) {
  const OutputFolder& f = b.folder;
  if (graph.role == GraphRole::kVision) {
    const Tensor* pixels = example(b, fmt::format("s{}.b1.pixel_values", graph.extents.image_size),
                                   {1, 3, graph.extents.image_size, graph.extents.image_size});
    return compare_stateless(b, graph, {{"pixel_values", pixels != nullptr ? *pixels : made_up_pixels(b, graph)}}, b.how.gates.features);
  }
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(graph.extents.vision_tokens))));
  const std::string group = fmt::format("s{}.b1.", 64 * side);
  const Shape vision = {1, graph.extents.vision_tokens, f.vision_width()}, text = {1, graph.extents.text_tokens};
  const Tensor* features = example(b, group + "vision_features", vision);
  const Tensor* ids = example(b, group + "first.input_ids", text);
  return compare_stateless(b, graph,
                           {{"vision_features", features != nullptr ? *features : random_floats(vision, -1, 1, 25)},
                            {"input_ids", ids != nullptr ? *ids : random_ids(text, f.text().vocab_size, 26)}},
                           b.how.gates.logits);
}

}  // namespace

Result<std::optional<Departure>> first_departure(const ComparedGraph& graph, const std::vector<NamedTensor>& inputs) {
  TRY_ASSIGN(OnnxModel model, read_onnx(graph.model));
  const OnnxIndex index(model);
  std::vector<std::string> modules = module_values(model), values = float_values(model);
  leave_out_dequantised(index, values);
  std::erase_if(modules, [&](const std::string& name) { return std::ranges::find(values, name) == values.end(); });
  if (modules.empty()) modules = values;
  TRY_ASSIGN(std::vector<double> coarse, measure(graph, modules, inputs));
  const auto module = first_below(coarse, graph.min_snr_db);
  if (!module) return std::optional<Departure>();
  // What lies between the last good module and this one.
  auto begin = *module == 0 ? values.begin() : std::ranges::find(values, modules[*module - 1]) + 1;
  auto end = std::ranges::find(values, modules[*module]) + 1;
  std::vector<std::string> inner(begin, std::max(begin, end));
  if (graph.is_joined != nullptr) std::erase_if(inner, [&](const std::string& value) { return graph.is_joined(index, value); });
  // Where the module as a whole is known, a refused closer look is no reason to say nothing.
  auto fine = measure(graph, inner, inputs);
  if (!fine.ok() && fine.error().kind == ErrorKind::kInterrupted) return std::move(fine).error();
  if (fine.ok())
    if (const auto at = first_below(*fine, graph.min_snr_db)) return std::optional(departure_at(model, inner[*at], (*fine)[*at]));
  return std::optional(departure_at(model, modules[*module], coarse[*module]));
}

Status compare_npu_graphs(const OutputFolder& folder, const NpuComparison& comparison, VerifyReport& report) {
  auto is_wanted = [&](const GraphEntry& graph) {
    return comparison.only.empty() || std::ranges::find(comparison.only, graph.name) != comparison.only.end();
  };
  for (const GraphEntry& graph : folder.manifest.graphs) {
    if (!graph.npu() || graph.role == GraphRole::kDecoder || !is_wanted(graph)) continue;
    NpuComparison own = comparison;
    own.gates = gates_of(graph.activations, comparison.gates);
    if (Status status = compare_one({folder, own, report}, graph); !status.ok())
      TRY(report.fail(kCheck, graph.file, std::move(status).error()));
  }
  for (const std::string& recipe : folder.manifest.recipes()) {
    TRY_ASSIGN(const OutputFolder one, with_recipe(folder, recipe));
    const auto decoder = std::ranges::find_if(
        one.manifest.graphs, [&](const GraphEntry& graph) { return graph.role == GraphRole::kDecoder && is_wanted(graph); });
    if (decoder == one.manifest.graphs.end()) continue;
    NpuComparison own = comparison;
    own.gates = gates_of(decoder->activations, comparison.gates);
    if (Status status = compare_decoders({one, own, report}); !status.ok())
      TRY(report.fail(kCheck, decoder_subject(*decoder), std::move(status).error()));
  }
  return {};
}

}  // namespace fastvlm
