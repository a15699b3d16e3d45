// The trained checkpoint and two questions about its pictures, in files.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "fastvlm/export/trained_for_tests.h"
#include "fastvlm/sensitivity/sensitivity.h"

namespace fastvlm {

class TwoQuestions : public testing::Test {
 protected:
  void SetUp() override {
    asked_ = questions(1);
    asked_.resize(2);
    std::ranges::sort(asked_, {}, &Question::image);
    std::filesystem::create_directories(folder_ / "pictures");
    std::string prompts;
    for (const Question& question : asked_) {
      std::filesystem::copy(question.image, folder_ / "pictures");
      prompts += question.prompt + "\n";
    }
    write_text(folder_ / "prompts.txt", prompts);
  }

  // About them, without a recipe.
  SensitivityOptions asking(const Path& checkpoint, Granularity granularity) const {
    return {.model_dir = checkpoint,
            .chip = "sm8750",
            .granularity = granularity,
            .pictures = folder_ / "pictures",
            .prompts = folder_ / "prompts.txt",
            .reply_tokens = 4,
            .runtimes = {.onnxruntime_library = runtimes_for_tests().onnxruntime_library},
            .work_folder = folder_ / "work",
            .threads = 2};
  }

  static Sensitivity measured(const SensitivityOptions& options) {
    Progress silent;
    auto found = measure_sensitivity(options, silent);
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? *std::move(found) : Sensitivity();
  }

  FolderForTests folder_;
  std::vector<Question> asked_;
};

}  // namespace fastvlm
