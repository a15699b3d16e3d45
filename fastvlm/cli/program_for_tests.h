// Runs the built program as a user does.
#pragma once

#include <gtest/gtest.h>

#include "fastvlm/base/folder_for_tests.h"
#include "fastvlm/base/json.h"
#include "fastvlm/process/process.h"

namespace fastvlm::cli {

inline const Path kTestData = FASTVLM_TEST_DATA;

inline ProcessResult run_program(std::vector<std::string> arguments, std::string input = "") {
  auto result =
      run_process({.program = FASTVLM_PROGRAM, .arguments = std::move(arguments), .input = std::move(input), .limits = {.seconds = 300}});
  EXPECT_TRUE(result.ok()) << result.error().message;
  return result.ok() ? *result : ProcessResult{.exit_code = -2};
}

// What a verb prints with --json; the code must be as expected.
inline Json run_json(std::vector<std::string> arguments, std::string input = "", int code = 0) {
  arguments.insert(arguments.end(), {"--json", "--quiet"});
  const ProcessResult result = run_program(std::move(arguments), std::move(input));
  EXPECT_EQ(result.exit_code, code) << result.output;
  // With a bad code the sentence stands behind the JSON.
  const auto end = result.output.rfind('}');
  auto json = parse_json(result.output.substr(0, end == std::string::npos ? 0 : end + 1), "output");
  EXPECT_TRUE(json.ok()) << result.output;
  return json.ok() ? *json : Json::object();
}

}  // namespace fastvlm::cli
