// Runners and files for tests.
#pragma once

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/try.h"
#include "fastvlm/run/ort_runner.h"
#include "fastvlm/run/runtimes_for_tests.h"
#include "fastvlm/session/output_folder.h"

namespace fastvlm {

inline OpenGraph cpu_for_tests() {
  return [](const Path& model) -> Result<std::unique_ptr<Runner>> {
    TRY_ASSIGN(auto runner, OrtRunner::open(onnxruntime_for_tests(), model, {.threads = 1}));
    return std::unique_ptr<Runner>(std::move(runner));
  };
}

inline std::string text_of(const Path& path) {
  auto text = read_file(path, std::size_t{1} << 30);
  FASTVLM_ASSERT(text.ok(), "a file of the test");
  return *text;
}
inline void write_text(const Path& path, std::string_view text) {
  FASTVLM_ASSERT(write_file_atomically(path, text).ok(), "a file of the test");
}

}  // namespace fastvlm
