#include "fastvlm/device/make_selftest.h"

#include <algorithm>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"
#include "fastvlm/device/picture_answer.h"
#include "fastvlm/image/made_up_picture.h"
#include "fastvlm/image/preprocess.h"
#include "fastvlm/session/probed_graph.h"
#include "fastvlm/session/run_graph.h"
#include "fastvlm/session/run_memory.h"
#include "fastvlm/text/prompt.h"

namespace fastvlm::device {
namespace {

bool is_probed(const std::string& name) { return name.ends_with(kProbedEnd); }

class SelfTestMaker {
 public:
  SelfTestMaker(const SelfTestRequest& request, const Path& bundle, Progress& progress)
      : r_(request), f_(request.folder), to_(bundle / kSelfTestFolder), progress_(progress) {}

  Result<SelfTest> make() {
    test_ = {.chip = r_.chip, .recipe = f_.recipe()};
    TRY_ASSIGN(size_, question_size(f_));
    const std::size_t pictures = r_.pictures.empty() ? 2 : r_.pictures.size();
    progress_.start("the self-test on the CPU", pictures + 2);
    if (!r_.answers_only) TRY(run_vision());
    progress_.advance(1);
    TRY(run_decoder(pictures));
    TRY(run_probed());
    progress_.advance(1);
    TRY(write_file_atomically(to_ / kQuestionFile, r_.question + "\n"));
    TRY(write_file_atomically(to_ / kSelfTestFile, selftest_text(test_)));
    return std::move(test_);
  }

 private:
  // ---- Files ----
  Result<StoredTensor> store(const std::string& name, const Tensor& tensor, const std::string& file) {
    StoredTensor stored{.name = name, .type = tensor.dtype, .shape = tensor.shape};
    if (std::ranges::all_of(tensor.bytes, [](std::byte b) { return b == std::byte{0}; })) return stored;
    stored.file = file;
    TRY(write_raw(to_ / file, tensor));
    return stored;
  }

  // Runs the graph on these inputs and notes both.
  Result<GraphRun> record(const std::string& name, const std::string& graph, const Path& model, const std::vector<NamedTensor>& inputs,
                          std::vector<std::string> wanted) {
    TRY(check_interrupt());
    TRY_ASSIGN(auto runner, r_.open(model));
    GraphRun run{.name = name, .graph = graph};
    if (!is_probed(name)) {  // which takes the inputs of its original
      for (const NamedTensor& input : inputs) {
        TRY_ASSIGN(StoredTensor stored, store(input.name, input.tensor, fmt::format("{}/in_{}.raw", name, input.name)));
        run.inputs.push_back(std::move(stored));
      }
    }
    // The head is tested by the graph for one token; the logits of a whole chunk would be the largest file.
    if (wanted.empty())
      for (const TensorInfo& info : runner->outputs())
        if (info.name != "logits" || info.shape.size() < 2 || info.shape[1] == 1) wanted.push_back(info.name);
    TRY_ASSIGN(const auto outputs, fastvlm::run(*runner, inputs, wanted));
    for (const NamedTensor& output : outputs) {
      TRY_ASSIGN(StoredTensor stored, store(output.name, output.tensor, fmt::format("{}/{}.raw", name, output.name)));
      run.outputs.push_back(std::move(stored));
    }
    return run;
  }

  // ---- Pictures ----
  Result<Tensor> pixels_of(std::size_t picture, std::int64_t size, Dtype type) {
    const PreprocessSettings settings = f_.manifest.preprocessing.settings.at_size(static_cast<int>(size));
    std::vector<float> values(static_cast<std::size_t>(3 * size * size));
    if (r_.pictures.empty()) {
      to_pixel_values(made_up_picture(static_cast<int>(size), static_cast<int>(picture)), settings, values);
    } else {
      TRY_ASSIGN(values, load_pixel_values(r_.pictures[picture], {.settings = settings}));
    }
    return cast_to(Tensor::of_floats({1, 3, size, size}, values), type);
  }

  // Every vision graph, on the first picture.
  Status run_vision() {
    for (const GraphEntry& graph : f_.manifest.graphs) {
      if (graph.role != GraphRole::kVision) continue;
      TRY_ASSIGN(const Tensor pixels, pixels_of(0, graph.extents.image_size, graph.inputs.front().number_type()));
      TRY_ASSIGN(GraphRun run, record(graph.name, graph.name, f_.path / graph.file, {{graph.inputs.front().name, pixels}}, {}));
      test_.runs.push_back(std::move(run));
    }
    return {};
  }

  // ---- Questions ----
  Result<PictureAnswer> ask(std::size_t picture, Runner& vision, DecoderSession& session, const EmbeddingTable& table) {
    PictureAnswer answer{.name = fmt::format("picture_{}", picture + 1), .image_size = size_, .question = r_.question, .pieces = pieces_};
    TRY_ASSIGN(const Tensor pixels, pixels_of(picture, size_, vision.inputs().front().dtype));
    TRY_ASSIGN(answer.pixel_values, store("pixel_values", pixels, answer.name + "/in_pixel_values.raw"));
    TRY_ASSIGN(const auto outputs, fastvlm::run(vision, std::vector<NamedTensor>{{vision.inputs().front().name, pixels}}));
    TRY_ASSIGN(answer.image_features, store("image_features", outputs.front().tensor, answer.name + "/image_features.raw"));
    const Tensor features = to_float32(outputs.front().tensor.view());
    TRY_ASSIGN(const std::vector<float> prompt, prompt_vectors(table, {.pieces = pieces_, .features = features.floats()}));
    const std::int64_t tokens = static_cast<std::int64_t>(prompt.size()) / table.width();
    if (tokens > session.context())
      return bad_usage(
          "`question` makes a prompt of {} tokens, but the context has {}; ask a shorter one or export with a larger `context`", tokens,
          session.context());
    const std::int64_t rows = std::min(r_.rows, session.context() - tokens + 1);
    if (picture == 0) prompt_ = prompt;
    TRY_ASSIGN(AnswerRows said, answer_picture(session, table, {.pieces = pieces_, .features = features.floats(), .rows = rows}));
    const auto end = std::ranges::find_first_of(said.ids, r_.end_tokens);
    if (end == said.ids.begin()) return bad_usage("`question` gets no answer at all; ask another one");
    answer.ids.assign(said.ids.begin(), end);
    const auto kept = static_cast<std::int64_t>(answer.ids.size()), width = session.vocab_size();
    said.logits.resize(static_cast<std::size_t>(kept * width));
    TRY_ASSIGN(answer.logits, store("logits", Tensor::of_floats({kept, width}, said.logits), answer.name + "/logits.raw"));
    return answer;
  }

  Status run_decoder(std::size_t pictures) {
    TRY_ASSIGN(const Tokenizer tokenizer, Tokenizer::load(f_.path));
    TRY_ASSIGN(const ChatPrompt prompt, ChatPrompt::create(tokenizer));
    const ChatTurn turn{.text = r_.question, .image = true};
    pieces_ = prompt.conversation({&turn, 1}).pieces;
    TRY_ASSIGN(const EmbeddingTable table, EmbeddingTable::open(f_));
    TRY_ASSIGN(auto vision, r_.open(f_.path / f_.vision(size_)->file));
    RunMemory memory;
    TRY_ASSIGN(DecoderSession session, open_decoder_session(f_, remembering(r_.open, memory)));
    for (std::size_t picture = 0; picture < pictures; ++picture) {
      TRY_ASSIGN(PictureAnswer answer, ask(picture, *vision, session, table));
      test_.answers.push_back(std::move(answer));
      progress_.advance(1);
    }
    if (r_.answers_only) return {};
    return run_decoder_graphs(session, table.width(), memory);
  }

  // Every decoder graph by itself: a full chunk from an empty cache for those of many tokens, the last token of the prompt behind all
  // others for those of one.
  Status run_decoder_graphs(DecoderSession& session, std::int64_t width, RunMemory& memory) {
    const auto w = static_cast<std::size_t>(width);
    for (const GraphEntry& graph : f_.manifest.graphs) {
      if (graph.role != GraphRole::kDecoder) continue;
      std::vector<float> rows = prompt_;
      session.reset();
      if (const auto chunk = static_cast<std::size_t>(graph.extents.new_tokens) * w; graph.extents.new_tokens > 1) {
        while (rows.size() < chunk) rows.insert(rows.end(), prompt_.begin(), prompt_.end());
        rows.resize(chunk);
        TRY(session.extend(rows));
      } else {
        if (rows.size() > w) TRY(session.extend(std::span(rows).first(rows.size() - w)));
        TRY_ASSIGN(std::vector<float> logits, session.step(std::span(rows).last(w)));
      }
      const std::vector<NamedTensor>& inputs = memory[(f_.path / graph.file).string()];
      if (inputs.empty()) continue;  // a head that no chunk needs
      TRY_ASSIGN(GraphRun run, record(graph.name, graph.name, f_.path / graph.file, inputs, {}));
      test_.runs.push_back(std::move(run));
    }
    return {};
  }

  // The graphs with probes on the inputs of their originals.
  Status run_probed() {
    for (const ProbedGraph& probed : r_.probed) {
      const auto original = std::ranges::find(test_.runs, probed.graph, &GraphRun::graph);
      if (original == test_.runs.end()) return bad_input("{}: no run of this graph has inputs for its probes", probed.graph);
      std::vector<NamedTensor> inputs;
      for (const StoredTensor& stored : original->inputs) {
        TRY_ASSIGN(Tensor tensor, load_stored(to_.parent_path(), stored));
        inputs.push_back({stored.name, std::move(tensor)});
      }
      const std::string name = probed.graph + kProbedEnd;
      TRY_ASSIGN(GraphRun run, record(name, name, probed.model, inputs, probed.values));
      run.inputs = original->inputs;
      test_.probes.push_back(std::move(run));
    }
    return {};
  }

  const SelfTestRequest& r_;
  const OutputFolder& f_;
  const Path to_;
  Progress& progress_;
  SelfTest test_;
  std::int64_t size_ = 0;
  std::vector<std::vector<std::int32_t>> pieces_;
  std::vector<float> prompt_;  // of the first picture
};

}  // namespace

Result<std::int64_t> question_size(const OutputFolder& folder) {
  std::int64_t largest = 0;
  for (const GraphEntry& graph : folder.manifest.graphs)
    if (graph.role == GraphRole::kVision) largest = std::max(largest, graph.extents.image_size);
  if (largest == 0 || folder.manifest.find(GraphRole::kDecoder) == nullptr)
    return bad_input("{}: has no static graphs; export again with `targets`", folder.path.string());
  return folder.vision(folder.image_size()) != nullptr ? folder.image_size() : largest;
}

Result<SelfTest> make_selftest(const SelfTestRequest& request, const Path& bundle, Progress& progress) {
  return SelfTestMaker(request, bundle, progress).make();
}

}  // namespace fastvlm::device
