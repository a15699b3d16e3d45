#include "fastvlm/run/runner.h"

#include <algorithm>
#include <map>
#include <string_view>

namespace fastvlm {
namespace {

std::string declared_shape(const Shape& shape) {
  std::string text = "[";
  for (std::int64_t extent : shape) {
    if (text.size() > 1) text += ", ";
    text += extent < 0 ? "?" : std::to_string(extent);
  }
  return text + "]";
}

bool fits(const TensorInfo& declared, const TensorView& given) {
  return declared.dtype == given.dtype && declared.shape.size() == given.shape.size() &&
         std::equal(given.shape.begin(), given.shape.end(), declared.shape.begin(),
                    [](std::int64_t have, std::int64_t want) { return want < 0 || have == want; });
}

}  // namespace

Status check_inputs(std::span<const TensorInfo> declared, std::span<const NamedTensorView> given) {
  std::map<std::string_view, const TensorInfo*> missing;
  for (const TensorInfo& info : declared) missing.emplace(info.name, &info);
  for (const NamedTensorView& input : given) {
    auto found = missing.find(input.name);
    if (found == missing.end()) return bad_input("the graph has no input \"{}\", or it was given twice", input.name);
    const TensorInfo& info = *found->second;
    if (!fits(info, input.view))
      return bad_input("the input \"{}\" is {} {}, but the graph wants {} {}", input.name, name(input.view.dtype),
                       to_string(input.view.shape), name(info.dtype), declared_shape(info.shape));
    auto count = checked_element_count(input.view.shape);
    FASTVLM_ASSERT(count && static_cast<std::uint64_t>(*count) * byte_size(input.view.dtype) == input.view.bytes.size(),
                   "the bytes of an input match its shape");
    missing.erase(found);
  }
  if (!missing.empty()) return bad_input("the input \"{}\" is missing", missing.begin()->first);
  return {};
}

std::vector<NamedTensorView> views(std::span<const NamedTensor> tensors) {
  std::vector<NamedTensorView> result;
  result.reserve(tensors.size());
  for (const NamedTensor& named : tensors) result.push_back({.name = named.name, .view = named.tensor.view()});
  return result;
}

Result<std::vector<NamedTensor>> run(Runner& runner, std::span<const NamedTensor> inputs, std::span<const std::string> wanted) {
  return runner.run(views(inputs), wanted);
}

}  // namespace fastvlm
