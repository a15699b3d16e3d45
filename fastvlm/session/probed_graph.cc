#include "fastvlm/session/probed_graph.h"

#include <unistd.h>

#include <atomic>

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

// Removes its file at the end.
class TemporaryFile {
 public:
  explicit TemporaryFile(Path path) : path_(std::move(path)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const Path& path() const { return path_; }

 private:
  Path path_;
};

// Keeps the changed model until the runner is gone: some runners open it late.
class ProbedRunner final : public Runner {
 public:
  ProbedRunner(std::unique_ptr<TemporaryFile> file, std::unique_ptr<Runner> runner) : file_(std::move(file)), runner_(std::move(runner)) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    return runner_->run(inputs, wanted);
  }

 private:
  std::unique_ptr<TemporaryFile> file_;
  std::unique_ptr<Runner> runner_;
};

}  // namespace

Result<std::unique_ptr<Runner>> open_probed(const Path& model, std::span<const std::string> values, const OpenGraph& open) {
  TRY_ASSIGN(std::string bytes, with_probes(model, values));
  static std::atomic<unsigned> counter{0};
  auto file = std::make_unique<TemporaryFile>(model.parent_path() /
                                              fmt::format(".{}.probed-{}-{}.onnx", model.stem().string(), ::getpid(), counter++));
  TRY(write_file_atomically(file->path(), bytes));
  TRY_ASSIGN(auto runner, open(file->path()));
  return std::unique_ptr<Runner>(std::make_unique<ProbedRunner>(std::move(file), std::move(runner)));
}

std::vector<std::string> module_values(const OnnxModel& model) {
  std::vector<std::string> names;
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (!output.empty() && output.find(':') == std::string::npos) names.push_back(output);
  return names;
}

std::vector<std::string> float_values(const OnnxModel& model) {
  std::vector<std::string> names;
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs) {
      const OnnxType* type = output.empty() ? nullptr : model.type_of(output);
      if (type != nullptr && (type->dtype == Dtype::kFloat32 || type->dtype == Dtype::kFloat16)) names.push_back(output);
    }
  return names;
}

std::optional<std::string> module_output(const OnnxModel& model, const std::string& module) {
  std::optional<std::string> found;
  for (const OnnxNode& node : model.nodes) {
    if (node.outputs.empty()) continue;
    if (node.name.starts_with(module + "/") || node.outputs.front() == module) found = node.outputs.front();
  }
  return found;
}

}  // namespace fastvlm
