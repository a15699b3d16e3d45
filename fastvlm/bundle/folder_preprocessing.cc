#include "fastvlm/bundle/folder_preprocessing.h"

#include "fastvlm/base/json.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"
#include "fastvlm/checkpoint/dialect.h"
#include "fastvlm/checkpoint/preprocessing.h"

namespace fastvlm {

Result<PreprocessSettings> folder_preprocessing(const Path& folder) {
  std::error_code ignored;
  if (std::filesystem::exists(folder / kManifestFile, ignored)) {
    TRY_ASSIGN(const Manifest manifest, read_manifest(folder));
    return manifest.preprocessing.settings;
  }
  const Path path = folder / "config.json";
  TRY_ASSIGN(const Json config, read_json_file(path));
  TRY_ASSIGN(const std::string stated, json_string(config, "model_type", path.string()));
  TRY_ASSIGN(const std::string type, check_model_type(stated, path.string()));
  TRY_ASSIGN(const CheckpointPreprocessing preprocessing, read_preprocessing(folder, config, type));
  return preprocessing.settings;
}

}  // namespace fastvlm
