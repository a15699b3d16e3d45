// quantize --sensitivity: what each layer of a text decoder, and each piece of tower and projector, costs when it is stored as a recipe
// says, the others as floats, and which of them to keep at more bits for a size or a quality. Everything runs on the CPU, with the graphs
// that export writes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/progress.h"
#include "fastvlm/export/export.h"
#include "fastvlm/image/decode.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/sensitivity/propose.h"
#include "fastvlm/sensitivity/units.h"

namespace fastvlm {

struct SensitivityOptions {
  Path model_dir;
  Path base_model;                         // see ExportOptions
  std::optional<std::int64_t> image_size;  // nothing: what the checkpoint was trained with
  std::string chip;                        // whose form of the graphs is measured
  Targets known_targets = fastvlm::known_targets();
  Recipe recipe;                 // of the decoder, that is taken apart; of floats: it is not
  Recipe vision_recipe = {};     // the same of tower and projector
  std::optional<Ranges> ranges;  // for activations in integers
  Granularity granularity = Granularity::kModules;
  Path pictures;  // a folder; empty: the built-in set
  Path prompts;   // a file; empty: default_prompts()
  std::int64_t reply_tokens = 16;
  ImageDecodeOptions decode = {};
  // For a proposal: the most bytes of what is taken apart, or as a share of those in fp16; or the largest mean KL per token.
  std::optional<double> size_bytes, size_share, quality;
  RuntimeSearch runtimes;
  Path work_folder;      // where the temporary folder is made; empty: the system's
  unsigned threads = 0;  // 0: one per core
};

// How far the choices are from those of the float decoder, along its own replies.
struct Apart {
  double kl = 0;                      // mean per token, in nats
  double snr_db = 0;                  // of the logits; 300: equal
  std::optional<double> features_db;  // of the vectors of the pictures, where something of the tower is not in floats
};

struct SensitivityRow {
  std::string layer;       // "model.layers.3", "head", "model.vision_tower.stages.2.blocks.3"
  std::string weights;     // "self_attn.q_proj", "all", "activations"
  std::string precision;   // "4 bits, blocks of 32"
  std::int64_t saved = 0;  // bytes, against half precision; codes in two parts may save none
  Apart apart;
};

struct MeasuredRecipe {
  Recipe recipe, vision_recipe;
  std::uint64_t bytes = 0;  // of the weights of what is taken apart
  double predicted = 0;     // sum of the costs of its parts
  Apart apart;              // of all of it together
};

// Of the recipe of the decoder and of that of the tower, where these are not floats.
std::string names_of(const MeasuredRecipe& measured);

struct Sensitivity {
  std::int64_t questions = 0, tokens = 0;  // tokens that were chosen
  std::uint64_t float_bytes = 0;           // of the same weights in half precision
  std::vector<SensitivityRow> rows;        // in the order of computation
  MeasuredRecipe whole;                    // the recipe as it is
  std::optional<MeasuredRecipe> proposal;
  std::vector<std::string> findings;
};

// Puts the recipe as it is in the place of a proposal that is no smaller and, as it was measured, no nearer to the floats, and says so:
// costs of single parts are small beside what few questions can tell.
void settle_proposal(Sensitivity& found);

Result<Sensitivity> measure_sensitivity(const SensitivityOptions& options, Progress& progress);

}  // namespace fastvlm
