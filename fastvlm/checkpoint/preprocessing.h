// What a checkpoint says about its pictures: the settings of its image processor, from the file where transformers reads them.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/image/preprocess_settings.h"

namespace fastvlm {

inline constexpr const char* kPreprocessorFile = "preprocessor_config.json";
inline constexpr const char* kProcessorFile = "processor_config.json";

struct CheckpointPreprocessing {
  PreprocessSettings settings;
  std::string file;  // where they come from; empty: the folder has neither file
  // The image processor's object as that file has it; null when there is none.
  OrderedJson image_processor;
  std::vector<std::string> findings;
};

// `image_processor` of processor_config.json goes before preprocessor_config.json, as in transformers. For llava_qwen2,
// `image_aspect_ratio` of config.json says whether a picture is padded to a square before, as in LLaVA. Without either file:
// FastVLM's own settings, with the size that `mm_vision_tower` names. image_seq_length never decides.
// Errors: damaged files, and every setting that is not honoured, by name.
Result<CheckpointPreprocessing> read_preprocessing(const Path& folder, const Json& config, const std::string& model_type);

// The image processor with the sides of `settings` and all else as it was.
OrderedJson image_processor_at_size(OrderedJson image_processor, const PreprocessSettings& settings);

// FastVLM's image processor, for a checkpoint that has none. That pictures are padded is not in it; config.json says so.
OrderedJson default_image_processor(const PreprocessSettings& settings);

}  // namespace fastvlm
