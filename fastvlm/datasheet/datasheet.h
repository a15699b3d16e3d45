// Everything that is to be told about an export, gathered in one place: its manifest, what verify found, how exact each layer is, what
// the contexts say about themselves, and pictures with answers. page.h makes a page of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fastvlm/base/json.h"
#include "fastvlm/base/progress.h"
#include "fastvlm/inspect/weight_accuracy.h"
#include "fastvlm/run/runtimes.h"
#include "fastvlm/session/output_folder.h"
#include "fastvlm/verify/layer_accuracy.h"
#include "fastvlm/verify/report.h"

namespace fastvlm {

struct DatasheetOptions {
  Path output_dir;
  OpenGraph open_cpu;
  OpenGraph open_npu = {};          // empty: the NPU is not run
  std::string chip = {};            // that open_npu runs on
  bool verify = true;               // false: no gates, no accuracy of layers and weights
  std::vector<Path> pictures = {};  // empty: one that is made up
  std::string question = "What is in this picture?";
  std::int64_t max_new_tokens = 64;
  Path program = {};            // fastvlm-npu, for child processes
  RuntimeSearch runtimes = {};  // of the library that reads contexts
};

struct ContextSheet {
  std::string chip;
  ContextEntry entry;
  OrderedJson facts;    // of inspect; null: it could not be read
  std::string problem;  // why
};

struct SheetAnswer {
  std::string recipe;
  std::string runner;  // "CPU", "sm8750"
  std::string text;
  std::string problem;  // in the place of the text
};

struct SheetPicture {
  std::string name;     // of the file
  std::string picture;  // an <img> with the picture in it
  std::vector<SheetAnswer> answers;
};

struct Datasheet {
  OutputFolder folder;
  std::string manifest_sha256;
  std::uint64_t bytes = 0;  // of all files
  std::optional<VerifyReport> verified;
  std::vector<LayerAccuracy> layers;
  std::string layers_problem;           // why there are none, or not all
  std::vector<RecipeAccuracy> weights;  // that are integers
  std::string weights_problem;
  std::vector<ContextSheet> contexts;
  std::string question;
  std::vector<SheetPicture> pictures;
};

// An Error only when the folder or a picture cannot be read, or the work is interrupted; whatever else goes wrong is told in the sheet.
// Sentences name files from the output folder on.
Result<Datasheet> gather_datasheet(const DatasheetOptions& options, Progress& progress);

}  // namespace fastvlm
