#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "fastvlm/base/try.h"
#include "fastvlm/cli/flags.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/cli/verbs.h"
#include "fastvlm/onnx/external_data.h"
#include "fastvlm/process/process.h"
#include "fastvlm/targets/registry.h"

namespace fastvlm::cli {
namespace {

struct CheckOpsArguments {
  Path model;
  std::string target;
  bool all = false;      // accepted nodes too
  bool compile = false;  // ask the real backend too
  std::string freeze;
  double limit = 600;
};

// Seconds that --limit takes.
constexpr double kShortest = 1, kLongest = 86400;

void add_options(OptionTable& options, CheckOpsArguments& a, CommonArguments& common) {
  options.path("model", a.model, "ONNX file, ours or any other").set_required();
  options.value("--target", a.target, "CHIP", "Chip, such as sm8750, \"8 Elite\" or \"Galaxy S25\"; help: all names")
      .complete(Completes::kChip)
      .set_required();
  options.flag("--all", a.all, "List the accepted nodes too");
  options.flag("--compile", a.compile, "Compile the file as well and show what the backend says; needs both runtimes");
  options.value("--freeze", a.freeze, "NAME=VALUE,…",
                "And if the inputs were fixed? A symbol with its number (batch=1) or an input with all extents (x=1x3x224x224)");
  Option& limit = options.value("--limit", a.limit, "SECONDS", "Time that --compile may take, 1 to 86400").show_default();
  limit.check = [](const std::string& text) {
    double seconds = 0;
    const bool taken = value_from(text, seconds) && seconds >= kShortest && seconds <= kLongest;
    return taken ? std::string() : fmt::format("\"{}\" is not a number of seconds from {} to {}", text, kShortest, kLongest);
  };
  add_json(options, common);
  add_runtime_options(options, common);
}

// Names in it come from a foreign file: none begins a line of its own.
void print_sentence(const std::string& text) { print_line(on_one_line(text)); }

constexpr std::size_t kNamedNodes = 3;  // of each group in the short form

// What the backend said about a node; empty: nothing.
std::string backend_reason(const CompilerAnswer& answer, const std::string& node) {
  for (const RefusedNode& refused : answer.refused)
    if (refused.name == node) return "refused: " + refused.reason;
  return "";
}

std::string_view label(Verdict verdict) { return verdict == Verdict::kOk ? "note" : name(verdict); }

OrderedJson to_json(const NodeVerdict& node) {
  OrderedJson issues = OrderedJson::array();
  for (const OpIssue& issue : node.issues)
    issues.push_back({{"verdict", label(issue.verdict)}, {"reason", issue.reason}, {"advice", issue.advice}, {"source", issue.source}});
  return {{"node", node.node}, {"op", node.op}, {"verdict", name(node.verdict)}, {"issues", issues}};
}

OrderedJson to_json(const CompilerAnswer& answer) {
  OrderedJson refused = OrderedJson::array();
  for (const RefusedNode& node : answer.refused) refused.push_back({{"node", node.name}, {"type", node.type}, {"reason", node.reason}});
  return {{"accepted", answer.accepted}, {"sentence", answer.sentence}, {"refused", refused}};
}

OrderedJson to_json(const OperatorReport& report, bool all, const std::optional<CompilerAnswer>& answer) {
  OrderedJson nodes = OrderedJson::array(), model = OrderedJson::array();
  for (const NodeVerdict& node : report.nodes)
    if (all || node.verdict != Verdict::kOk) nodes.push_back(to_json(node));
  for (const Finding& finding : report.graph)
    model.push_back({{"severity", finding.severity == Severity::kError     ? "error"
                                  : finding.severity == Severity::kWarning ? "warning"
                                                                           : "note"},
                     {"subject", finding.subject},
                     {"message", finding.message}});
  OrderedJson json = {{"target", report.target},
                      {"accepted", report.accepted()},
                      {"ok", report.ok},
                      {"warnings", report.warnings},
                      {"refused", report.refused},
                      {"model", model},
                      {"nodes", nodes}};
  if (answer) json["backend"] = to_json(*answer);
  return json;
}

void print_every_node(const OperatorReport& report, const std::optional<CompilerAnswer>& answer) {
  std::vector<std::vector<std::string>> rows = {{"verdict", "op", "node", "reason"}};
  if (answer) rows[0].push_back("backend");
  for (const NodeVerdict& node : report.nodes) {
    rows.push_back({std::string(name(node.verdict)), node.op, node.node, node.issues.empty() ? "" : node.issues[0].reason});
    if (answer) rows.back().push_back(backend_reason(*answer, node.node));
  }
  print_table(rows);
  print_sentence("");
}

std::string shown_name(const std::string& node) { return node.empty() ? "(no name)" : node; }

void print_answer(const CompilerAnswer& answer) {
  if (answer.accepted)
    print_sentence("backend: accepted, the file compiles");
  else
    print_sentence("backend: REFUSED: " + answer.sentence);
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> kinds;
  for (const RefusedNode& node : answer.refused) kinds[{node.type, node.reason}].push_back(shown_name(node.name));
  for (const auto& [kind, nodes] : kinds)
    print_sentence(fmt::format("backend: {}, {} node{} such as {}: {}", kind.first, nodes.size(), nodes.size() == 1 ? "" : "s",
                               nodes.front(), kind.second));
}

Result<CompilerAnswer> ask(const CheckOpsArguments& arguments, const CommonArguments& common, const ChosenChip& chosen) {
  TRY_ASSIGN(RuntimePaths runtimes, chosen.target->find_runtimes(common.runtimes));
  TRY_ASSIGN(std::vector<Freeze> freezes, parse_freezes(arguments.freeze));
  return chosen.target->ask_compiler({.program = own_executable(),
                                      .runtimes = std::move(runtimes),
                                      .chip = chosen.chip,
                                      .model = arguments.model,
                                      .freezes = std::move(freezes),
                                      .timeout_seconds = arguments.limit});
}

// Nodes with the same trouble, told once.
struct Group {
  const NodeVerdict* first = nullptr;
  const OpIssue* issue = nullptr;
  std::vector<std::string> nodes;
};

std::vector<Group> grouped_issues(const OperatorReport& report) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t> places;
  for (const NodeVerdict& node : report.nodes)
    for (const OpIssue& issue : node.issues) {
      if (issue.of_inputs) continue;
      // The value that a reason names differs from node to node, what is in front of it and behind does not.
      const std::size_t begin = issue.reason.find('"'), end = issue.reason.find('"', begin + 1);
      const std::string kind = end == std::string::npos ? issue.reason : issue.reason.substr(0, begin) + issue.reason.substr(end);
      const std::string key = fmt::format("{}\n{}\n{}", node.op, name(issue.verdict), kind);
      auto [place, added] = places.emplace(key, groups.size());
      if (added) groups.push_back({.first = &node, .issue = &issue});
      groups[place->second].nodes.push_back(node.node);
    }
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.issue->verdict > b.issue->verdict; });
  return groups;
}

void print_groups(const OperatorReport& report) {
  for (const Group& group : grouped_issues(report)) {
    print_sentence(fmt::format("{}: {}, {} node{}: {}", label(group.issue->verdict), group.first->op, group.nodes.size(),
                               group.nodes.size() == 1 ? "" : "s", group.issue->reason));
    if (!group.issue->advice.empty()) print_sentence("  do: " + group.issue->advice);
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamedNodes, group.nodes.size()); ++i) names += (i == 0 ? "" : ", ") + shown_name(group.nodes[i]);
    if (group.nodes.size() > kNamedNodes) names += fmt::format(" and {} more", group.nodes.size() - kNamedNodes);
    print_sentence(fmt::format("  at: {} ({})", names, group.issue->source));
  }
  const auto open = std::count_if(report.nodes.begin(), report.nodes.end(), [](const NodeVerdict& node) {
    return std::any_of(node.issues.begin(), node.issues.end(), [](const OpIssue& issue) { return issue.of_inputs; });
  });
  for (const Finding& finding : report.graph) {
    const char* word = finding.severity == Severity::kError ? "refused" : finding.severity == Severity::kWarning ? "warning" : "note";
    print_sentence(fmt::format("{}: {}", word, finding.message));
  }
  if (open > 0) print_sentence(fmt::format("refused: {} nodes for that reason alone or among others", open));
}

// Weights that the file names and that are not there, or lie where nobody should read.
void add_missing_data(const OnnxModel& model, const Path& file, OperatorReport& report) {
  for (Finding& finding : check_external_data(model, find_data_files(model, file.parent_path()))) {
    if (finding.severity != Severity::kError) continue;
    finding.message = fmt::format("\"{}\": {}", finding.subject, finding.message);
    report.graph.push_back(std::move(finding));
    return;
  }
}

ExitCode run(const CheckOpsArguments& arguments, const CommonArguments& common) {
  TRY_ASSIGN(const ChosenChip chosen, find_chip(known_targets(), arguments.target));
  if (chosen.target->check_operators == nullptr) return bad_usage("nothing is known about the operators of {}", chosen.target->title);
  TRY_ASSIGN(std::vector<Freeze> freezes, parse_freezes(arguments.freeze));
  TRY_ASSIGN(const auto model, read_onnx(arguments.model, {.freezes = std::move(freezes), .inline_functions = true, .find_faults = true}));
  auto report = chosen.target->check_operators(model, *chosen.chip);
  if (!report) return std::move(report).error().within(arguments.model.string());
  add_missing_data(model, arguments.model, *report);
  for (Finding& finding : report->graph) finding.message = with_flags(finding.message);
  std::optional<CompilerAnswer> answer;
  if (arguments.compile) {
    TRY_ASSIGN(answer, ask(arguments, common, chosen));
    answer->sentence = with_flags(answer->sentence);
  }
  const bool accepted = report->accepted() && (!answer || answer->accepted);
  const int code = accepted ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
  if (common.json) {
    print_json(to_json(*report, arguments.all, answer));
    return code;
  }
  if (arguments.all) print_every_node(*report, answer);
  print_groups(*report);
  print_sentence(fmt::format("{} on {}: {}; {} nodes ok, {} with a warning, {} refused", arguments.model.string(), report->target,
                             report->accepted() ? "accepted" : "REFUSED", report->ok, report->warnings, report->refused));
  if (answer) print_answer(*answer);
  return code;
}

}  // namespace

Verb check_ops_verb(CommonArguments& common) {
  return make_verb<CheckOpsArguments>(
      {.name = "check-ops",
       .group = kProveGroup,
       .summary = "Say which nodes of an ONNX file the NPU refuses, why, and what to do",
       .details = "Works from a table of rules; no runtime is needed, except with --compile. Exit code 1 when a node is refused.",
       .examples = "  fastvlm-npu check-ops model.onnx --target sm8750"},
      common, add_options, run);
}

}  // namespace fastvlm::cli
