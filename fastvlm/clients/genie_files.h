// Everything in Genie's folder that is neither a context nor the table, for the layout and for bundles of a machine.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "fastvlm/bundle/manifest.h"
#include "fastvlm/clients/tokenizer_files.h"
#include "fastvlm/graph/encoding.h"
#include "fastvlm/targets/target.h"

namespace fastvlm::clients {

inline constexpr const char* kGenieFolder = "genie/";
inline constexpr const char* kGenieTable = "embedding_weights.raw";  // as GenieX looks for it; Genie is told
inline constexpr const char* kGenieClientSource = "client.cc";

struct GenieFolder {
  TextConfig text;
  std::int64_t context = 0;  // slots of the cache
  std::vector<std::int64_t> eos_token_ids;
  TokenizerFiles tokenizer;
  std::vector<std::string> decoder_contexts;  // file names
  std::string vision_context;
  std::vector<GraphEntry> decoders;
  const Chip& chip;
  bool share_weights = true;
  PromptContract prompt;
  PreprocessSettings picture;  // at the size of the vision graph
};

// Configs, tokenizer, prompt and the source of a client, by file name in the folder.
std::map<std::string, std::string> genie_files(const GenieFolder& folder);

// Genie hands floats on as 16-bit codes: 65535 steps from the smallest value that a pixel can have to the largest.
Encoding genie_pixels(const PreprocessSettings& settings);

}  // namespace fastvlm::clients
