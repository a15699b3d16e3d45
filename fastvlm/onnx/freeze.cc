#include "fastvlm/onnx/freeze.h"

#include <fmt/ranges.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/model_file.h"
#include "fastvlm/onnx/parse.h"

namespace fastvlm {
namespace {

Result<std::int64_t> parse_extent(std::string_view text, std::string_view whole) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value <= 0 || value > INT32_MAX)
    return bad_usage("\"{}\": \"{}\" is not a number of elements; write name=1x3x224x224 or symbol=1", whole, text);
  return value;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const std::size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

using Numbers = std::map<std::string, std::int64_t>;

void set_symbols(onnx::TypeProto& type, const Numbers& numbers) {
  if (!type.has_tensor_type() || !type.tensor_type().has_shape()) return;
  for (auto& dim : *type.mutable_tensor_type()->mutable_shape()->mutable_dim())
    if (const auto number = numbers.find(dim.dim_param()); dim.has_dim_param() && number != numbers.end())
      dim.set_dim_value(number->second);
}

// What there is to fix, in a sentence.
std::string open_names(const onnx::GraphProto& graph, const std::set<std::string>& symbols) {
  std::vector<std::string> inputs;
  for (const auto& input : graph.input()) inputs.push_back(input.name());
  return fmt::format("symbols: {}; inputs: {}", symbols.empty() ? "none" : fmt::format("{}", fmt::join(symbols, ", ")),
                     fmt::join(inputs, ", "));
}

Status freeze_input(onnx::ValueInfoProto& input, const Freeze& freeze, Numbers& numbers) {
  if (!input.type().has_tensor_type()) return bad_option("freeze", "{}: the input is no tensor", freeze.name);
  auto& tensor = *input.mutable_type()->mutable_tensor_type();
  auto& shape = *tensor.mutable_shape();
  const auto rank = static_cast<std::size_t>(shape.dim_size());
  if (tensor.has_shape() && rank != 0 && rank != freeze.extents.size())
    return bad_option("freeze", "{}: the input has {} extents, {} are given", freeze.name, rank, freeze.extents.size());
  while (static_cast<std::size_t>(shape.dim_size()) < freeze.extents.size()) shape.add_dim();
  for (std::size_t i = 0; i < freeze.extents.size(); ++i) {
    auto& dim = *shape.mutable_dim(static_cast<int>(i));
    if (dim.has_dim_value() && dim.dim_value() > 0 && dim.dim_value() != freeze.extents[i])
      return bad_option("freeze", "{}: extent {} is fixed at {} and cannot be {}", freeze.name, i, dim.dim_value(), freeze.extents[i]);
    if (dim.has_dim_param() && !dim.dim_param().empty()) {
      const auto [known, added] = numbers.emplace(dim.dim_param(), freeze.extents[i]);
      if (!added && known->second != freeze.extents[i])
        return bad_option("freeze", "{}: \"{}\" is to be {} and {}", freeze.name, dim.dim_param(), known->second, freeze.extents[i]);
    }
    dim.set_dim_value(freeze.extents[i]);
  }
  return {};
}

}  // namespace

Result<std::vector<Freeze>> parse_freezes(std::string_view text) {
  std::string plain(text);
  std::erase(plain, ' ');
  std::vector<Freeze> freezes;
  for (std::string_view part : split(plain, ',')) {
    if (part.empty()) continue;
    const std::size_t equals = part.rfind('=');
    if (equals == std::string_view::npos || equals == 0) return bad_usage("\"{}\": write name=1x3x224x224 or symbol=1", part);
    Freeze freeze{.name = std::string(part.substr(0, equals))};
    for (std::string_view extent : split(part.substr(equals + 1), 'x')) {
      TRY_ASSIGN(std::int64_t number, parse_extent(extent, part));
      freeze.extents.push_back(number);
    }
    if (std::ranges::find(freezes, freeze.name, &Freeze::name) != freezes.end())
      return bad_option("freeze", "{}: is given more than once", freeze.name);
    freezes.push_back(std::move(freeze));
  }
  return freezes;
}

Status freeze_inputs(onnx::ModelProto& model, std::span<const Freeze> freezes) {
  if (freezes.empty()) return {};
  onnx::GraphProto& graph = *model.mutable_graph();
  std::set<std::string> symbols;
  for (const auto& input : graph.input())
    for (const auto& dim : input.type().tensor_type().shape().dim())
      if (dim.has_dim_param() && !dim.dim_param().empty()) symbols.insert(dim.dim_param());
  Numbers numbers;
  for (const Freeze& freeze : freezes) {
    if (freeze.extents.size() == 1 && symbols.contains(freeze.name)) {
      numbers.insert_or_assign(freeze.name, freeze.extents[0]);
      continue;
    }
    auto input = std::ranges::find(*graph.mutable_input(), freeze.name, &onnx::ValueInfoProto::name);
    if (input == graph.mutable_input()->end())
      return bad_option("freeze", "{}: the model has no such symbol or input; it has {}", freeze.name, open_names(graph, symbols));
    TRY(freeze_input(*input, freeze, numbers));
  }
  for (auto* values : {graph.mutable_input(), graph.mutable_output(), graph.mutable_value_info()})
    for (auto& value : *values) set_symbols(*value.mutable_type(), numbers);
  return {};
}

Result<std::string> frozen_model(const Path& model, std::span<const Freeze> freezes) {
  onnx::ModelProto proto;
  TRY(read_message(model, proto));
  TRY(freeze_inputs(proto, freezes));
  return written_again(proto, model.string());
}

}  // namespace fastvlm
