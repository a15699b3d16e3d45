// The JSON files that Genie and GenieX read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/bundle/graph_entry.h"
#include "fastvlm/checkpoint/model_config.h"
#include "fastvlm/targets/target.h"

namespace fastvlm::clients {

struct GenieFacts {
  const TextConfig& text;
  std::int64_t context = 0;              // slots of the cache
  std::vector<std::int64_t> end_tokens;  // ids that end a reply
  std::int64_t pad_token = 0;
  std::vector<std::string> decoder_contexts;  // file names
  std::string vision_context;
  std::string table;  // float32 [vocabulary, hidden size]
};

OrderedJson genie_text_encoder(const GenieFacts& facts);
OrderedJson genie_image_encoder(const GenieFacts& facts);
OrderedJson genie_text_generator(const GenieFacts& facts);
// The same generator as a dialog, which GenieX reads.
OrderedJson genie_dialog(const GenieFacts& facts);
// GenieX: the graphs of the decoder with their tensors.
OrderedJson geniex_metadata(const std::vector<GraphEntry>& decoders);
// What Genie hands to the HTP backend.
OrderedJson htp_backend_config(const Chip& chip, bool share_weights);

}  // namespace fastvlm::clients
