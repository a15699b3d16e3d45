#include "fastvlm/session/run_memory.h"

#include "fastvlm/base/try.h"

namespace fastvlm {
namespace {

class RememberingRunner final : public Runner {
 public:
  RememberingRunner(std::unique_ptr<Runner> runner, std::vector<NamedTensor>& memory) : runner_(std::move(runner)), memory_(memory) {}
  const std::vector<TensorInfo>& inputs() const override { return runner_->inputs(); }
  const std::vector<TensorInfo>& outputs() const override { return runner_->outputs(); }
  Result<std::vector<NamedTensor>> run(std::span<const NamedTensorView> inputs, std::span<const std::string> wanted) override {
    memory_.clear();
    for (const NamedTensorView& input : inputs)
      memory_.push_back({input.name, {input.view.dtype, input.view.shape, {input.view.bytes.begin(), input.view.bytes.end()}}});
    return runner_->run(inputs, wanted);
  }

 private:
  std::unique_ptr<Runner> runner_;
  std::vector<NamedTensor>& memory_;
};

}  // namespace

OpenGraph remembering(OpenGraph open, RunMemory& memory) {
  return [open = std::move(open), &memory](const Path& path) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(auto runner, open(path));
    return std::unique_ptr<Runner>(std::make_unique<RememberingRunner>(std::move(runner), memory[path.string()]));
  };
}

}  // namespace fastvlm
