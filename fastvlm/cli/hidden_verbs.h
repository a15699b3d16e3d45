// Verbs that the program calls on itself: vendor libraries run in these children, so that a crash there becomes a sentence.
#pragma once

#include <optional>
#include <span>

namespace fastvlm::cli {

// The exit code when the first of `arguments` (without the program's name) is a hidden verb, else nothing.
std::optional<int> run_hidden_verb(std::span<char* const> arguments);

}  // namespace fastvlm::cli
