// quantize --sensitivity: what each layer of a text decoder costs when it is stored as a recipe says, the others as floats, and which
// of them to keep at more bits for a size or a quality. Everything runs on the CPU, with the graphs that export writes.
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
  Recipe recipe;                 // that is taken apart
  std::optional<Ranges> ranges;  // for activations in integers
  Granularity granularity = Granularity::kModules;
  Path pictures;  // a folder; empty: the built-in set
  Path prompts;   // a file; empty: default_prompts()
  std::int64_t reply_tokens = 16;
  ImageDecodeOptions decode = {};
  // For a proposal: the largest decoder in bytes, or as a share of that of fp16; or the largest mean KL per token.
  std::optional<double> size_bytes, size_share, quality;
  RuntimeSearch runtimes;
  Path work_folder;      // where the temporary folder is made; empty: the system's
  unsigned threads = 0;  // 0: one per core
};

// How far the choices are from those of the float decoder, along its own replies.
struct Apart {
  double kl = 0;      // mean per token, in nats
  double snr_db = 0;  // of the logits; 300: equal
};

struct SensitivityRow {
  std::string layer;        // "model.layers.3", "head"
  std::string weights;      // "self_attn.q_proj", "all", "activations"
  std::string precision;    // "4 bits, blocks of 32"
  std::uint64_t saved = 0;  // bytes, against half precision
  Apart apart;
};

struct MeasuredRecipe {
  Recipe recipe;
  std::uint64_t bytes = 0;  // of the decoder's weights
  double predicted = 0;     // sum of the costs of its parts
  Apart apart;              // of all of it together
};

struct Sensitivity {
  std::int64_t questions = 0, tokens = 0;  // tokens that were chosen
  std::uint64_t float_bytes = 0;           // of the decoder's weights in half precision
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
