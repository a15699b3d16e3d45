// Ranges of a golden checkpoint, seen with one drawn picture and one question.
#pragma once

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/export/calibrated_for_tests.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/quant/built_in_set.h"

namespace fastvlm {

inline Ranges golden_ranges(const std::string& name, std::int64_t image_size, const FolderForTests& folder) {
  const Path pictures = folder / "pictures";
  std::filesystem::create_directories(pictures);
  const std::vector<Path> drawn = write_built_in_pictures(pictures, static_cast<int>(image_size)).value();
  for (std::size_t i = 1; i < drawn.size(); ++i) std::filesystem::remove(drawn[i]);
  folder.write("prompts.txt", "What is it?\n");
  return calibrated({.model_dir = golden_folder(name) / "checkpoint",
                     .image_size = image_size,
                     .chip = "sm8750",
                     .pictures = pictures,
                     .prompts = folder / "prompts.txt",
                     .reply_tokens = 1,
                     .threads = 2});
}

}  // namespace fastvlm
