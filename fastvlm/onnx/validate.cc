#include "fastvlm/onnx/validate.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "fastvlm/base/try.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/onnx/library_child.h"
#include "fastvlm/onnx/model_index.h"
#include "fastvlm/onnx/parse.h"
#include "fastvlm/onnx/schemas.h"

namespace fastvlm {
namespace {

// Enough for a person; a broken exporter would give thousands.
constexpr std::size_t kMaxListed = 50;

std::string label(const OnnxNode& node) {
  const std::string& name = !node.name.empty() || node.outputs.empty() ? node.name : node.outputs.front();
  return fmt::format("{} \"{}\"", operator_name(node.domain, node.op), name);
}
std::string subject(const OnnxNode& node) { return !node.name.empty() || node.outputs.empty() ? node.name : node.outputs.front(); }

class Collector {
 public:
  void add(Severity severity, std::string about, std::string message) {
    if (findings_.size() < kMaxListed)
      findings_.push_back({severity, std::move(about), std::move(message)});
    else
      ++left_out_;
  }
  std::vector<Finding> take() {
    if (left_out_ > 0) findings_.push_back({Severity::kError, "", fmt::format("{} more findings of this kind are not listed", left_out_)});
    return std::move(findings_);
  }

 private:
  std::vector<Finding> findings_;
  std::size_t left_out_ = 0;
};

// Each value has one origin, and nodes come after what they use.
void check_order(const OnnxModel& model, std::unordered_set<std::string>& known, Collector& out) {
  std::unordered_set<std::string> later;
  for (const OnnxNode& node : model.nodes) later.insert(node.outputs.begin(), node.outputs.end());
  for (const OnnxNode& node : model.nodes) {
    for (const std::string& input : node.inputs)
      if (!input.empty() && !known.contains(input))
        out.add(Severity::kError, subject(node),
                fmt::format("{} uses \"{}\", which {}", label(node), input,
                            later.contains(input) ? "is made by a later node" : "nothing makes"));
    for (const std::string& output : node.outputs)
      if (!output.empty() && !known.insert(output).second)
        out.add(Severity::kError, output, fmt::format("{} makes \"{}\", which exists already", label(node), output));
  }
}

void check_unused(const OnnxModel& model, const OnnxIndex& index, Collector& out) {
  auto is_used = [&](const std::string& value) {
    return !index.users(value).empty() || index.is_output(value) || index.is_used_inside(value);
  };
  for (const OnnxNode& node : model.nodes) {
    if (node.op == "Identity" && node.domain.empty())
      out.add(Severity::kWarning, subject(node), fmt::format("{} does nothing", label(node)));
    if (std::none_of(node.outputs.begin(), node.outputs.end(), [&](const std::string& o) { return !o.empty() && is_used(o); }))
      out.add(Severity::kError, subject(node), fmt::format("nothing uses the result of {}", label(node)));
  }
  for (const OnnxInitializer& initializer : model.initializers)
    if (!is_used(initializer.name))
      out.add(Severity::kError, initializer.name, fmt::format("nothing uses the initializer \"{}\"", initializer.name));
  for (const OnnxValue& input : model.inputs)
    if (!is_used(input.name)) out.add(Severity::kWarning, input.name, fmt::format("nothing uses the input \"{}\"", input.name));
}

// "[batch, 3, 256]" with the symbols named.
std::string symbols_of(const Dims& dims) {
  std::string text;
  for (const Dim& dim : dims)
    if (!dim.is_static()) text += (text.empty() ? "" : ", ") + (dim.symbol == kUnknownExtent ? "an unnamed extent" : dim.symbol);
  return text;
}

bool is_static(const OnnxType& type) {
  return type.has_shape && std::all_of(type.dims.begin(), type.dims.end(), [](const Dim& dim) { return dim.is_static(); });
}

void append(std::vector<Finding>& all, std::vector<Finding> more) {
  all.insert(all.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

}  // namespace

std::vector<Finding> check_versions(const OnnxModel& model, const ValidateOptions& options) {
  std::vector<Finding> findings;
  if (options.opset != 0 && model.opset() != options.opset)
    findings.push_back({Severity::kError, "", fmt::format("the model imports opset {}, {} is expected", model.opset(), options.opset)});
  if (options.ir_version != 0 && model.ir_version != options.ir_version)
    findings.push_back(
        {Severity::kError, "", fmt::format("the model has IR version {}, {} is expected", model.ir_version, options.ir_version)});
  std::set<std::string> missing;
  for (const OnnxNode& node : model.nodes)
    if (!model.opsets.contains(node.domain)) missing.insert(node.domain);
  for (const std::string& domain : missing)
    findings.push_back(
        {Severity::kError, domain, fmt::format("operators of domain \"{}\" are used, but no opset of it is imported", domain)});
  return findings;
}

std::optional<std::string> unknown_operator(const OnnxModel& model) {
  for (const auto* nodes : {&model.nodes, &model.inner_nodes})
    for (const OnnxNode& node : *nodes)
      if (node.domain.empty() && !is_newer_than_library(node.op) && !is_known(node.domain, node.op, model.opset())) return node.op;
  return {};
}

std::vector<Finding> check_operators(const OnnxModel& model, std::span<const OperatorId> allowed) {
  std::set<std::string> names;
  for (const OperatorId& id : allowed) names.insert(operator_name(id.domain, id.op));
  std::vector<Finding> findings;
  if (names.empty()) return findings;
  for (const auto& [name, count] : operator_histogram(model))
    if (!names.contains(name))
      findings.push_back({Severity::kError, name, fmt::format("{} is not an allowed operator, and occurs {} times", name, count)});
  return findings;
}

std::vector<Finding> check_structure(const OnnxModel& model) {
  Collector out;
  std::unordered_set<std::string> known;
  for (const OnnxValue& input : model.inputs)
    if (!known.insert(input.name).second) out.add(Severity::kError, input.name, fmt::format("two inputs are called \"{}\"", input.name));
  for (const OnnxInitializer& initializer : model.initializers)
    if (!known.insert(initializer.name).second)
      out.add(Severity::kError, initializer.name, fmt::format("two initializers are called \"{}\"", initializer.name));
  check_order(model, known, out);

  std::unordered_set<std::string> outputs;
  for (const OnnxValue& output : model.outputs) {
    if (!known.contains(output.name)) out.add(Severity::kError, output.name, fmt::format("nothing makes the output \"{}\"", output.name));
    if (!outputs.insert(output.name).second)
      out.add(Severity::kError, output.name, fmt::format("two outputs are called \"{}\"", output.name));
  }
  check_unused(model, OnnxIndex(model), out);
  return out.take();
}

std::vector<Finding> check_static_shapes(const OnnxModel& model) {
  std::vector<Finding> findings;
  auto check = [&](const OnnxValue& value, const char* kind) {
    if (is_static(value.type)) return;
    std::string why = value.type.has_shape
                          ? fmt::format("the shape {} depends on {}", to_string(value.type.dims), symbols_of(value.type.dims))
                          : std::string("it has no shape");
    findings.push_back({Severity::kError, value.name, fmt::format("{} \"{}\": {}; fixed numbers are needed", kind, value.name, why)});
  };
  for (const OnnxValue& input : model.inputs) check(input, "input");
  for (const OnnxValue& output : model.outputs) check(output, "output");
  if (!findings.empty()) return findings;

  // The borders are static, so the trouble begins inside: the first node whose result is not.
  for (const OnnxNode& node : model.nodes)
    for (const std::string& output : node.outputs)
      if (const OnnxType* type = model.type_of(output); type != nullptr && type->has_shape && !is_static(*type)) {
        findings.push_back({Severity::kError, subject(node),
                            fmt::format("{} gives the shape {}, which depends on {}; fixed numbers are needed", label(node),
                                        to_string(type->dims), symbols_of(type->dims))});
        return findings;
      }
  return findings;
}

Result<std::vector<Finding>> validate_onnx(const Path& path, const ValidateOptions& options) {
  onnx::ModelProto proto;
  TRY(read_message(path, proto));
  TRY_ASSIGN(OnnxModel model, summarize(proto, path.string()));
  std::vector<Finding> findings = check_versions(model, options);
  append(findings, check_operators(model, options.allowed_operators));
  append(findings, check_structure(model));
  append(findings, check_external_data(model, find_data_files(model, path.parent_path(), options.follow_links),
                                       {.require_aligned = options.require_aligned_data}));
  append(findings, check_in_child(path));
  if (options.forbid_symbolic_dims) {
    infer_shapes_in_child(proto);  // what it says was said by the check
    TRY_ASSIGN(OnnxModel inferred, summarize(proto, path.string()));
    append(findings, check_static_shapes(inferred));
  }
  return findings;
}

Status to_status(const std::vector<Finding>& findings, const Path& model) {
  const auto is_error = [](const Finding& finding) { return finding.severity == Severity::kError; };
  const auto first = std::find_if(findings.begin(), findings.end(), is_error);
  if (first == findings.end()) return {};
  const auto more = std::count_if(first + 1, findings.end(), is_error);
  if (more == 0) return check_failed("{}: {}", model.string(), first->message);
  return check_failed("{}: {} (and {} more)", model.string(), first->message, more);
}

}  // namespace fastvlm
