#include "fastvlm/export/prepare_plan.h"

#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/checkpoint/model_files.h"
#include "fastvlm/synthetic/declared.h"

namespace fastvlm {
namespace {

Result<std::unique_ptr<PreparedExport>> prepare_declared(const ExportOptions& options) {
  const Path config_path = options.model_dir / "config.json";
  TRY_ASSIGN(const Json config, read_json_file(config_path));
  TRY_ASSIGN(const auto tensors, declared_tensors(config, config_path.string()));
  TRY_ASSIGN(Checkpoint checkpoint, Checkpoint::declared(options.model_dir, tensors));
  TRY_ASSIGN(auto prepared, prepare_graphs(options, std::move(checkpoint)));
  TRY(add_side_files(*prepared));
  return prepared;
}

}  // namespace

Result<std::unique_ptr<PreparedExport>> prepare_plan(const ExportOptions& options) {
  if (!options.base_model.empty() || !is_config_only(options.model_dir)) return prepare_export(options);
  TRY_ASSIGN(auto prepared, prepare_declared(options));
  prepared->findings.push_back(
      "there are no weights in the folder; their names and shapes are those that config.json asks for, and export needs them");
  return prepared;
}

Result<std::unique_ptr<PreparedExport>> prepare_plan_of_size(const ExportOptions& options, std::string_view size) {
  const auto known = checkpoint_size_from(size);
  if (!known) return bad_usage("there is no FastVLM of the size {}", size);
  TRY_ASSIGN(const TemporaryFolder folder, TemporaryFolder::create());
  TRY(write_file_atomically(folder.path() / "config.json", checkpoint_config(*known, CheckpointDialect::kApple).dump(2)));
  ExportOptions own = options;
  own.model_dir = folder.path();
  TRY_ASSIGN(auto prepared, prepare_declared(own));
  prepared->options.model_dir.clear();
  prepared->findings.push_back(fmt::format("FastVLM-{} as it was released, without its tokenizer, which adds some MB", size));
  return prepared;
}

std::vector<std::string> planned_sizes() {
  std::vector<std::string> names;
  for (const CheckpointSizeFacts& row : kCheckpointSizes)
    if (row.size != CheckpointSize::kTiny) names.emplace_back(row.name);
  return names;
}

}  // namespace fastvlm
