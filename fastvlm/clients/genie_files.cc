#include "fastvlm/clients/genie_files.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/json.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/clients/chip_layout.h"
#include "fastvlm/clients/genie_client.h"
#include "fastvlm/clients/genie_configs.h"

namespace fastvlm::clients {
namespace {

// What a client does before: the order of its calls is the order of the prompt.
OrderedJson prompt_json(const PromptContract& prompt, const PreprocessSettings& settings) {
  return {{"order", {"before_image", "image", "after_image"}},
          {"before_image", prompt.before_image},
          {"image",
           {{"values", "float32 [1, 3, height, width], red, green and blue plane"},
            {"height", settings.size},
            {"width", settings.size},
            {"mode", name(settings.mode)},
            {"do_resize", settings.resize},
            {"resize_to", settings.resized_side()},
            {"resample", name(settings.filter)},
            {"pad_color", settings.pad_color},
            {"rescale_factor", settings.rescale_factor},
            {"mean", settings.mean},
            {"std", settings.std}}},
          {"after_image", prompt.after_image}};
}

}  // namespace

Encoding genie_pixels(const PreprocessSettings& settings) {
  double low = 0, high = 0;
  for (std::size_t i = 0; i < settings.mean.size(); ++i) {
    low = std::min(low, -settings.mean[i] / settings.std[i]);
    high = std::max(high, (settings.rescale_factor * 255 - settings.mean[i]) / settings.std[i]);
  }
  const double scale = (high - low) / 65535;
  return {.dtype = Dtype::kUint16, .scale = static_cast<float>(scale), .zero_point = static_cast<std::int32_t>(std::lround(-low / scale))};
}

std::map<std::string, std::string> genie_files(const GenieFolder& f) {
  const GenieFacts facts{.text = f.text,
                         .context = f.context,
                         .end_tokens = end_tokens(f.eos_token_ids, f.tokenizer.tokenizer_json),
                         .pad_token = f.tokenizer.pad_token_id,
                         .decoder_contexts = f.decoder_contexts,
                         .vision_context = f.vision_context,
                         .table = kGenieTable};
  return {{"text-encoder.json", json_file_text(genie_text_encoder(facts))},
          {"image-encoder.json", json_file_text(genie_image_encoder(facts))},
          {"text-generator.json", json_file_text(genie_text_generator(facts))},
          {"genie_config.json", json_file_text(genie_dialog(facts))},
          {"metadata.json", json_file_text(geniex_metadata(f.decoders))},
          {"htp_backend_ext_config.json", json_file_text(htp_backend_config(f.chip, f.share_weights))},
          {"tokenizer.json", f.tokenizer.tokenizer_json},
          {"tokenizer_config.json", f.tokenizer.tokenizer_config_json},
          {"prompt.json", json_file_text(prompt_json(f.prompt, f.picture))},
          {kGenieClientSource, kGenieClient}};
}

}  // namespace fastvlm::clients
