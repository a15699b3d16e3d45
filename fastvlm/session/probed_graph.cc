#include "fastvlm/session/probed_graph.h"

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/graph/graph.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/picture_size.h"

namespace fastvlm {
namespace {

// Keeps the folder of the changed model until the runner is gone: some runners open it late.
class ProbedRunner final : public Runner {
 public:
  ProbedRunner(TemporaryFolder folder, std::unique_ptr<Runner> runner) : folder_(std::move(folder)), runner_(std::move(runner)) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    return runner_->run(inputs, wanted);
  }

 private:
  TemporaryFolder folder_;
  std::unique_ptr<Runner> runner_;
};

// The same file under another name. ONNX Runtime takes a second name for the file where the disk has such; a link that leads out of
// the model's folder it refuses, so OrtRunner looks behind links itself.
Status lend(const Path& file, const Path& as) {
  std::error_code failure;
  const Path real = std::filesystem::canonical(file, failure);
  if (failure) return bad_input("{}: there is no such file", file.string());
  std::filesystem::create_directories(as.parent_path(), failure);
  if (std::filesystem::exists(as, failure)) return {};  // lent to another graph
  std::filesystem::create_hard_link(real, as, failure);
  if (failure) std::filesystem::create_symlink(real, as, failure);
  if (failure) return bad_environment("{}: cannot make a link ({})", as.string(), failure.message());
  return {};
}

}  // namespace

Status write_changed(const Path& model, const std::string& bytes, const ProbedFile& to) {
  TRY(write_file_atomically(to.folder / (to.name + ".onnx"), bytes));
  TRY_ASSIGN(const OnnxModel read, parse_onnx(as_bytes(bytes), model.string(), {.infer_shapes = false}));
  for (const auto& [location, file] : find_data_files(read, model.parent_path(), /*follow_links=*/true)) {
    if (!file.problem.empty()) return bad_input("{}: external data \"{}\": {}", model.string(), location, file.problem);
    TRY(lend(model.parent_path() / location, to.folder / location));
  }
  return {};
}

Result<std::unique_ptr<Runner>> open_changed(const Path& model, const std::string& bytes, const OpenGraph& open) {
  TRY_ASSIGN(TemporaryFolder folder, TemporaryFolder::create());
  const std::string name = fmt::format("{}.{}", model.stem().string(), folder.path().filename().string());
  TRY(write_changed(model, bytes, {folder.path(), name}));
  TRY_ASSIGN(auto runner, open(folder.path() / (name + ".onnx")));
  return std::unique_ptr<Runner>(std::make_unique<ProbedRunner>(std::move(folder), std::move(runner)));
}

Status write_probed(const Path& model, std::span<const std::string> values, const ProbedFile& to) {
  TRY_ASSIGN(const std::string bytes, with_probes(model, values));
  return write_changed(model, bytes, to);
}

Result<std::unique_ptr<Runner>> open_probed(const Path& model, std::span<const std::string> values, const OpenGraph& open) {
  TRY_ASSIGN(const std::string bytes, with_probes(model, values));
  return open_changed(model, bytes, open);
}

Result<std::unique_ptr<Runner>> open_at_picture_size(const Path& encoder, std::int64_t size, const OpenGraph& open) {
  TRY_ASSIGN(const std::string bytes, at_picture_size(encoder, size));
  return open_changed(encoder, bytes, open);
}

std::vector<std::string> module_values(const OnnxModel& model) {
  std::vector<std::string> names;
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (is_given_name(output)) names.push_back(output);
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
