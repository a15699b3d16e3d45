// The targets that this program knows. A chip's name chooses its target: `--target sm8750` means Qualcomm HTP.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/graph/encoding.h"
#include "fastvlm/targets/target.h"

namespace fastvlm {

// Functions that look for chips take such a list, so that a test or another program can bring a target of its own.
using Targets = std::span<const Target* const>;

// The rows of this program.
Targets known_targets();

struct ChosenChip {
  const Target* target = nullptr;
  const Chip* chip = nullptr;
};

// The chip of that name, alias, marketing name ("8 Elite"), phone ("Galaxy S25"), vendor's number ("69") or architecture ("v79", which
// stands for one chip). Case, blanks and punctuation are ignored. Unknown names are an Error that lists the known ones, and the
// one of them that differs by a slip of the hand; "help" is one that shows the table.
Result<ChosenChip> find_chip(Targets targets, std::string_view name);

// The chips of these names, each once. One export serves chips of one target, so names of several are an Error.
Result<std::vector<ChosenChip>> find_chips(Targets targets, std::span<const std::string> names);

// One line for each chip: its name and what else it may be called.
std::string chip_table(Targets targets);

// Every name and alias, in the order of the rows.
std::vector<std::string> chip_names(Targets targets);

// How the compiled files of a known target are read: by the name of a wrapper, by an ONNX model that may be one, or by the first bytes
// of a context (64 are enough). Null where no target knows such a thing.
const ContextFormat* format_of_wrapper(Targets targets, const Path& wrapper);
const ContextFormat* format_of_wrapper(Targets targets, const OnnxModel& model);
const ContextFormat* format_of_context(Targets targets, std::string_view head);

// What graphs with such activations compute in.
Precision precision_of(Activations activations);

// One of the chip's numbers, such as "soc_model"; nothing where its target has none of that name.
std::optional<std::int64_t> number_of(const Chip& chip, std::string_view kind);

// Why graphs of that precision cannot run on one of the chips, as an Error of wrong usage.
Status check_precision(std::span<const ChosenChip> chips, Precision precision);

}  // namespace fastvlm
