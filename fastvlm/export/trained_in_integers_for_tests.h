// The trained checkpoint with activations in integers: its ranges, and how it is exported.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvlm/export/calibrate_checkpoint.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/export/trained_for_tests.h"

namespace fastvlm {

inline constexpr std::size_t kCalibrated = 10;

// Pictures and questions of the last ones; all others were not seen before they are asked.
inline Ranges ranges_of_trained() {
  static const Ranges ranges = [] {
    const FolderForTests folder;
    std::vector<Question> all = questions(40);
    std::ranges::sort(all, {}, &Question::image);
    std::string prompts;
    std::filesystem::create_directories(folder / "pictures");
    for (const Question& question : std::span(all).last(kCalibrated)) {
      std::filesystem::copy(question.image, folder / "pictures");
      prompts += question.prompt + "\n";
    }
    write_text(folder / "prompts.txt", prompts);
    Progress silent;
    return calibrate_checkpoint({.model_dir = kTrained / "checkpoint",
                                 .chip = "sm8750",
                                 .pictures = folder / "pictures",
                                 .prompts = folder / "prompts.txt",
                                 .reply_tokens = 8,
                                 .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library}},
                                silent)
        .value();
  }();
  return ranges;
}

class TrainedInIntegers : public testing::Test {
 protected:
  ExportOptions options(const std::string& name = "out") const {
    ExportOptions options{.model_dir = kTrained / "checkpoint", .output_dir = folder_ / name, .image_size = 256, .threads = 2};
    options.npu = NpuOptions{.targets = {"sm8750"}, .image_sizes = {256}, .prefill = {32}, .context = 128};
    options.npu->recipes = {Recipe(), find_recipe("w8a16").value(), find_recipe("w4a16").value()};
    options.ranges = RangeOptions{.ranges = ranges_of_trained()};
    return options;
  }
  std::unique_ptr<Chat> chat(const std::string& recipe, const OpenGraph& open = cpu_for_tests()) const {
    return Chat::open({.folder = folder_ / "out", .open_graph = open, .recipe = recipe, .max_new_tokens = 8, .keep_vision_open = true})
        .value();
  }
  FolderForTests folder_;
};

}  // namespace fastvlm
