// Numbers for the open extents of a model's inputs.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace onnx {
class ModelProto;
}

namespace fastvlm {

// "batch=1": every extent of that symbol. "pixel_values=1x3x224x224": all extents of that input, and with them the symbols that they
// had. A symbol goes before an input of the same name when there is one number.
struct Freeze {
  std::string name;
  std::vector<std::int64_t> extents;
};

// "name=value,…" with extents joined by "x"; blanks are ignored. A name that stands twice is wrong usage.
Result<std::vector<Freeze>> parse_freezes(std::string_view text);

// Wrong usage: a name that is no symbol and no input (the message lists those there are), a wrong number of extents, a fixed extent
// that is another number.
Status freeze_inputs(onnx::ModelProto& model, std::span<const Freeze> freezes);

// The file with fixed inputs, as bytes; external data stay where they are.
Result<std::string> frozen_model(const Path& model, std::span<const Freeze> freezes);

}  // namespace fastvlm
