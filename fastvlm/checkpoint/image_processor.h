// The object that transformers' image processors save, read as strictly as it is used.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/image/preprocess_settings.h"

namespace fastvlm {

struct ImageProcessorContext {
  bool pads_before = false;  // LLaVA pads the picture to a square first
  std::string what;          // names the object in messages
  std::vector<std::string>& findings;
};

// Defaults are those of the named image_processor_type. Errors: a type that is not known, and every setting that cannot be
// honoured: sides that differ, an unknown filter, results that would not be square.
Result<PreprocessSettings> settings_of(const OrderedJson& processor, const ImageProcessorContext& context);

}  // namespace fastvlm
