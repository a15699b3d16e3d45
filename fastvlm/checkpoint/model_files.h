// Which files of a checkpoint folder are the model: the choice that transformers makes.
#pragma once

#include <string>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/json.h"

namespace fastvlm {

struct ModelFiles {
  std::vector<Path> weights;             // safetensors files
  Json weight_map;                       // tensor -> file name, where an index chose them; null otherwise
  Path index;                            // that index
  Path projector;                        // mm_projector.safetensors or mm_projector.bin, a projector saved apart
  std::vector<std::string> passed_over;  // names of files with weights that the model is not in
  std::vector<std::string> findings;     // what is odd about the choice, a sentence each
};

// model.safetensors if it is there, else the files that model.safetensors.index.json names, else a whole numbered set. Errors
// say what was found instead: PyTorch files, unfinished downloads, links without a target, a folder one level too high.
Result<ModelFiles> choose_model_files(const Path& folder);

// A config.json and no file that holds weights or part of them; an index alone is none.
bool is_config_only(const Path& folder);

// What lies in a folder that is to be put over a base model.
struct OverlayFiles {
  Path adapter_config;                   // of peft
  Path adapter;                          // its adapter_model.safetensors
  Path trainables;                       // non_lora_trainables.safetensors or .bin, what LLaVA trains beside a LoRA
  Path projector;                        // a projector that was trained alone
  std::vector<std::string> passed_over;  // other files with weights
};

// Errors when there is nothing to put over a base, or only files that cannot be read.
Result<OverlayFiles> choose_overlay_files(const Path& folder);

// Whether the folder holds an adapter of peft: it needs a base model.
bool is_adapter_folder(const Path& folder);

// "a, b, c" for a message, cut after some names with the count of the others.
std::string listed(const std::vector<std::string>& names);

}  // namespace fastvlm
