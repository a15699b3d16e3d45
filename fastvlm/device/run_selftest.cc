#include "fastvlm/device/run_selftest.h"

#include <chrono>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json.h"
#include "fastvlm/base/staged_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/device/picture_answer.h"
#include "fastvlm/device/selftest.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::device {
namespace {

class Runs {
 public:
  Runs(const SelfTestRun& run, Path to, Progress& progress) : r_(run), to_(std::move(to)), progress_(progress) {}

  Status run_all(const SelfTest& test, const OutputFolder& folder) {
    progress_.start("the self-test", test.runs.size() + test.probes.size() + test.answers.size());
    for (const auto* runs : {&test.runs, &test.probes})
      for (const GraphRun& run : *runs) TRY(run_graph(run));
    if (!test.answers.empty()) TRY(run_answers(test, folder));
    return {};
  }

 private:
  Path graph_path(const std::string& graph) const { return r_.bundle / kNpuFolder / (graph + ".onnx"); }

  Status run_graph(const GraphRun& run) {
    TRY(check_interrupt());
    TRY_ASSIGN(auto runner, r_.open(graph_path(run.graph)));
    std::vector<NamedTensor> inputs;
    for (const StoredTensor& stored : run.inputs) {
      TRY_ASSIGN(Tensor tensor, load_stored(r_.bundle, stored));
      inputs.push_back({stored.name, std::move(tensor)});
    }
    std::vector<std::string> wanted;
    for (const StoredTensor& stored : run.outputs) wanted.push_back(stored.name);
    TRY_ASSIGN(const auto outputs, fastvlm::run(*runner, inputs, wanted));
    for (const NamedTensor& output : outputs) TRY(write_raw(to_ / run.name / (output.name + ".raw"), output.tensor));
    progress_.advance(1);
    return {};
  }

  // The device's own features go into its own decoder; the ids that are fed are those of the self-test, so that every row of logits can
  // be compared.
  Status run_answers(const SelfTest& test, const OutputFolder& folder) {
    std::vector<Tensor> features;
    for (const PictureAnswer& answer : test.answers) {
      const GraphEntry* graph = folder.vision(answer.image_size);
      if (graph == nullptr) return bad_input("{}: has no vision graph for {} pixels", r_.bundle.string(), answer.image_size);
      TRY_ASSIGN(auto runner, r_.open(folder.path / graph->file));
      TRY_ASSIGN(Tensor pixels, load_stored(r_.bundle, answer.pixel_values));
      const std::vector<NamedTensor> inputs = {{answer.pixel_values.name, std::move(pixels)}};
      const std::string wanted[] = {answer.image_features.name};
      TRY_ASSIGN(auto outputs, fastvlm::run(*runner, inputs, wanted));
      TRY(write_raw(to_ / answer.name / "image_features.raw", outputs.front().tensor));
      features.push_back(to_float32(outputs.front().tensor.view()));
    }
    TRY_ASSIGN(const EmbeddingTable table, EmbeddingTable::open(folder));
    TRY_ASSIGN(DecoderSession session, open_decoder_session(folder, r_.open));
    for (std::size_t i = 0; i < test.answers.size(); ++i) {
      const PictureAnswer& answer = test.answers[i];
      TRY_ASSIGN(const AnswerRows said, answer_picture(session, table,
                                                       {.pieces = answer.pieces,
                                                        .features = features[i].floats(),
                                                        .rows = static_cast<std::int64_t>(answer.ids.size()),
                                                        .forced = answer.ids}));
      TRY(write_raw(to_ / answer.name / "logits.raw", Tensor::of_floats({answer.logits.shape[0], session.vocab_size()}, said.logits)));
      const auto ids = std::as_bytes(std::span(said.ids));
      TRY(write_raw(to_ / answer.name / "ids.raw",
                    {Dtype::kInt32, {static_cast<std::int64_t>(said.ids.size())}, {ids.begin(), ids.end()}}));
      progress_.advance(1);
    }
    return {};
  }

  const SelfTestRun& r_;
  const Path to_;
  Progress& progress_;
};

}  // namespace

Status check_runs_graphs(const Path& bundle, const BundleManifest& manifest) {
  if (manifest.runtime == kOnnxRuntime) return {};
  return bad_input("{}: is a bundle for Genie, whose self-test is run by {} with --selftest FOLDER", bundle.string(),
                   (bundle / "run.sh").string());
}

Result<SelfTestReport> run_selftest(const SelfTestRun& run, Progress& progress) {
  const auto begin = std::chrono::steady_clock::now();
  TRY_ASSIGN(const BundleManifest manifest, read_bundle(run.bundle));
  TRY(check_runs_graphs(run.bundle, manifest));
  progress.start("files of the bundle", 0);
  TRY(check_bundle(run.bundle, manifest, run.check));
  TRY_ASSIGN(const SelfTest test, read_selftest(run.bundle));
  TRY_ASSIGN(const OutputFolder folder, open_static_folder(run.bundle));
  TRY_ASSIGN(StagedFolder staged,
             StagedFolder::create(run.results, {.force = run.force,
                                                .may_replace = [](const Path& old) { return std::filesystem::exists(old / kResultsFile); },
                                                .replaceable = "results of a self-test"}));
  TRY(Runs(run, staged.path(), progress).run_all(test, folder));
  TRY_ASSIGN(const std::string sha256, sha256_of_file(run.bundle / kSelfTestFolder / kSelfTestFile));
  const OrderedJson about = {{"format", "fastvlm-npu selftest results"},
                             {"format_version", 1},
                             {"selftest_sha256", sha256},
                             {"chip", test.chip},
                             {"ran_on", run.runtime}};
  TRY(write_file_atomically(staged.path() / kResultsFile, about.dump(1) + "\n"));
  TRY(staged.commit());
  return SelfTestReport{.chip = test.chip,
                        .runs = static_cast<std::int64_t>(test.runs.size()),
                        .probes = static_cast<std::int64_t>(test.probes.size()),
                        .answers = static_cast<std::int64_t>(test.answers.size()),
                        .seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count()};
}

}  // namespace fastvlm::device
