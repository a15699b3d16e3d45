#include "fastvlm/targets/qnn/check/whole_model.h"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_set>

#include "fastvlm/targets/qnn/check/value_facts.h"

namespace fastvlm::qnn {
namespace {

// Measured: the plugin refuses every node below, and ONNX Runtime 1.29 does not load files above.
constexpr std::int64_t kOldestOpset = 7;
constexpr std::int64_t kNewestOpset = 26;
constexpr std::int64_t kNewestIr = 13;

constexpr std::size_t kNamed = 4;

// "a", "b", "c", "d" and 3 more
std::string listed(const std::set<std::string>& names) {
  std::string text;
  std::size_t done = 0;
  for (const std::string& name : names) {
    if (done == kNamed) break;
    text += fmt::format("{}\"{}\"", done++ == 0 ? "" : ", ", name);
  }
  if (names.size() > done) text += fmt::format(" and {} more", names.size() - done);
  return text;
}

// "a" -> "b" -> "a"
std::string circle_text(const std::vector<std::string>& circle) {
  std::string text;
  for (std::size_t i = 0; i < std::min(circle.size(), kNamed); ++i) text += fmt::format("\"{}\" -> ", circle[i]);
  if (circle.size() > kNamed) text += fmt::format("{} more -> ", circle.size() - kNamed);
  return text + fmt::format("\"{}\"", circle.front());
}

void find_versions(const OnnxModel& model, std::vector<Finding>& out) {
  if (model.opsets.contains("") && model.opset() < kOldestOpset)
    out.push_back(
        {Severity::kError, "",
         fmt::format("opset {}: the backend takes {} and newer; convert the file, or export it again", model.opset(), kOldestOpset)});
  if (model.opset() > kNewestOpset)
    out.push_back(
        {Severity::kError, "",
         fmt::format("opset {} is newer than the runtime, which ends at {}; export for an older one", model.opset(), kNewestOpset)});
  if (model.ir_version > kNewestIr)
    out.push_back(
        {Severity::kError, "",
         fmt::format("IR version {} is newer than the runtime, which ends at {}; export for an older one", model.ir_version, kNewestIr)});
}

// All open extents of the inputs in one sentence, each symbol once with the inputs that carry it.
void find_open_inputs(const OnnxModel& model, std::vector<Finding>& out) {
  std::map<std::string, std::set<std::string>> carriers;
  std::set<std::string> unnamed;
  for (const OnnxValue& input : model.inputs) {
    if (is_closed(input.type) || (!input.type.has_shape && input.type.code == 0)) continue;
    if (!input.type.has_shape) unnamed.insert(input.name);
    for (const Dim& dim : input.type.dims)
      if (!dim.is_static() && dim.symbol == kUnknownExtent)
        unnamed.insert(input.name);
      else if (!dim.is_static())
        carriers[dim.symbol].insert(input.name);
  }
  if (carriers.empty() && unnamed.empty()) return;
  std::string open, example;
  for (const auto& [symbol, inputs] : carriers) {
    open += fmt::format("{}\"{}\" of {}", open.empty() ? "" : "; ", symbol, listed(inputs));
    example += fmt::format("{}{}=1", example.empty() ? "" : ",", symbol);
  }
  for (const std::string& input : unnamed) {
    const auto value = std::find_if(model.inputs.begin(), model.inputs.end(), [&](const OnnxValue& v) { return v.name == input; });
    std::string dims;
    for (const Dim& dim : value->type.dims) dims += (dims.empty() ? "" : "x") + (dim.is_static() ? std::to_string(dim.value) : "1");
    example += fmt::format("{}{}={}", example.empty() ? "" : ",", input, dims.empty() ? "1x1" : dims);
  }
  if (!unnamed.empty()) open += fmt::format("{}unnamed extents of {}", open.empty() ? "" : "; ", listed(unnamed));
  out.push_back(
      {Severity::kError, "inputs",
       fmt::format("the inputs are not fixed ({}): HTP compiles fixed shapes only; fix them, or try `freeze` {}", open, example)});
}

void find_foreign_inputs(const OnnxModel& model, std::vector<Finding>& out) {
  for (const OnnxValue& input : model.inputs)
    if (input.type.code == 0)
      out.push_back(
          {Severity::kError, input.name, fmt::format("the input \"{}\" is no tensor (a sequence, a map, an optional)", input.name)});
}

void find_border_types(const OnnxModel& model, std::vector<Finding>& out) {
  for (const auto* values : {&model.inputs, &model.outputs})
    for (const OnnxValue& value : *values) {
      if (value.type.dtype == Dtype::kBool)
        out.push_back({Severity::kNote, value.name,
                       fmt::format("\"{}\" is bool: it compiles, but masks of NPU graphs are float or uint16 elsewhere", value.name)});
      if (value.type.dtype == Dtype::kInt64)
        out.push_back({Severity::kNote, value.name, fmt::format("\"{}\" is int64: it is computed as int32; prefer int32", value.name)});
    }
}

// Floats that pass between two nodes outside of DequantizeLinear and QuantizeLinear are computed as floats.
const OnnxNode* first_float_compute(const OnnxIndex& index, const ValueFacts& facts) {
  for (const OnnxNode& node : index.model().nodes) {
    if (node.op == "QuantizeLinear" || node.op == "DequantizeLinear" || node.op == "Constant") continue;
    if (node.outputs.empty() || facts.folded.contains(node.outputs[0])) continue;
    const OnnxType* type = index.model().type_of(node.outputs[0]);
    if (type == nullptr || !type->dtype || !is_float(*type->dtype)) continue;
    const auto& users = index.users(node.outputs[0]);
    const bool quantised =
        !users.empty() && std::all_of(users.begin(), users.end(), [](const OnnxNode* user) { return user->op == "QuantizeLinear"; });
    if (!quantised) return &node;
  }
  return nullptr;
}

void find_unknown(const OnnxModel& model, const ValueFacts& facts, std::vector<Finding>& out) {
  // A faulty node stops inference, and is told itself.
  if (std::ranges::any_of(model.nodes, [](const OnnxNode& node) { return !node.fault.empty(); }) || has_errors(out)) return;
  if (!model.inference_note.empty())
    out.push_back(
        {Severity::kNote, "",
         fmt::format("not known: shapes between the nodes beyond what the file states ({}); compile to see", model.inference_note)});
  else if (!facts.unknown.empty())
    out.push_back({Severity::kNote, "",
                   fmt::format("not known: the shapes of {}; compile to see", listed({facts.unknown.begin(), facts.unknown.end()}))});
}

// Each value has one origin, and each output has one.
void find_origins(const OnnxIndex& index, std::vector<Finding>& out) {
  const OnnxModel& model = index.model();
  std::unordered_set<std::string> inputs, made;
  std::set<std::string> twice, nowhere, unmade, same;
  for (const OnnxValue& input : model.inputs)
    if (!inputs.insert(input.name).second) same.insert(input.name);
  for (const OnnxNode& node : model.nodes) {
    for (const std::string& input : node.inputs)
      if (!input.empty() && index.producer(input) == nullptr && index.initializer(input) == nullptr && !index.is_input(input))
        nowhere.insert(input);
    for (const std::string& output : node.outputs)
      if (!output.empty() && (!made.insert(output).second || index.initializer(output) != nullptr || index.is_input(output)))
        twice.insert(output);
  }
  for (const OnnxValue& output : model.outputs)
    if (!made.contains(output.name) && index.initializer(output.name) == nullptr && !index.is_input(output.name))
      unmade.insert(output.name);
  auto tell = [&](const std::set<std::string>& names, const char* begin, const char* end) {
    if (!names.empty()) out.push_back({Severity::kError, *names.begin(), begin + listed(names) + end});
  };
  tell(nowhere, "nothing makes ", ", which nodes use");
  tell(unmade, "nothing makes the output ", "; take it from the outputs, or add the node that makes it");
  tell(same, "two inputs are called ", "; give each a name of its own");
  tell(twice, "", " is made more than once; give each value a name of its own");
  if (model.outputs.empty())
    out.push_back({Severity::kError, "", "the model has no outputs, so nothing would be computed; name its results as outputs"});
}

// What ONNX Runtime would not even load.
void find_broken(const OnnxIndex& index, std::vector<Finding>& out) {
  const OnnxModel& model = index.model();
  std::set<std::string> missing;
  for (const OnnxNode& node : model.nodes)
    if (!model.opsets.contains(node.domain)) missing.insert(node.domain.empty() ? "ai.onnx" : node.domain);
  if (!missing.empty()) out.push_back({Severity::kError, "", fmt::format("no opset is imported for the domain {}", listed(missing))});
  find_origins(index, out);
  if (!model.circle.empty())
    out.push_back(
        {Severity::kError, model.circle.front(),
         fmt::format("the nodes run in a circle, {}; break it, each value must come from earlier ones", circle_text(model.circle))});
}

}  // namespace

std::vector<Finding> check_whole_model(const OnnxIndex& index, const Soc& soc, const ValueFacts& facts) {
  const OnnxModel& model = index.model();
  std::vector<Finding> out;
  find_versions(model, out);
  find_broken(index, out);
  find_foreign_inputs(model, out);
  find_open_inputs(model, out);
  find_border_types(model, out);
  if (!soc.fp16)
    if (const OnnxNode* node = first_float_compute(index, facts))
      out.push_back({Severity::kError, std::string(soc.name),
                     fmt::format("{} has no half precision, and {} \"{}\" computes in floats; quantise the model for this chip", soc.name,
                                 operator_name(node->domain, node->op), node->outputs[0])});
  find_unknown(model, facts, out);
  return out;
}

}  // namespace fastvlm::qnn
