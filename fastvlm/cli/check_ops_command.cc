#include <fmt/format.h>

#include "fastvlm/cli/commands.h"
#include "fastvlm/cli/print.h"
#include "fastvlm/targets/qnn/check_ops.h"

namespace fastvlm::cli {
namespace {

using BackendAnswers = std::map<std::string, std::string>;

constexpr std::size_t kNamedNodes = 3;  // of each group in the short form

OrderedJson to_json(const qnn::NodeVerdict& node, const BackendAnswers* answers) {
  OrderedJson issues = OrderedJson::array();
  for (const qnn::OpIssue& issue : node.issues)
    issues.push_back({{"verdict", name(issue.verdict)}, {"reason", issue.reason}, {"advice", issue.advice}, {"source", issue.source}});
  OrderedJson json = {{"node", node.node}, {"op", node.op}, {"verdict", name(node.verdict)}, {"issues", issues}};
  if (answers != nullptr && answers->contains(node.node)) json["backend"] = answers->at(node.node);
  return json;
}

OrderedJson to_json(const qnn::CheckOpsReport& report, bool all, const BackendAnswers* answers) {
  OrderedJson nodes = OrderedJson::array(), model = OrderedJson::array();
  for (const qnn::NodeVerdict& node : report.nodes)
    if (all || node.verdict != qnn::Verdict::kOk) nodes.push_back(to_json(node, answers));
  for (const Finding& finding : report.graph)
    model.push_back({{"severity", finding.severity == Severity::kError ? "error" : finding.severity == Severity::kWarning ? "warning" : "note"},
                     {"subject", finding.subject}, {"message", finding.message}});
  return {{"target", report.target}, {"accepted", report.accepted()}, {"ok", report.ok}, {"warnings", report.warnings}, {"refused", report.refused},
          {"model", model}, {"nodes", nodes}};
}

void print_every_node(const qnn::CheckOpsReport& report, const BackendAnswers* answers) {
  std::vector<std::vector<std::string>> rows = {{"verdict", "op", "node", "reason"}};
  if (answers != nullptr) rows[0].insert(rows[0].begin() + 1, "backend");
  for (const qnn::NodeVerdict& node : report.nodes) {
    rows.push_back({std::string(name(node.verdict)), node.op, node.node, node.issues.empty() ? "" : node.issues[0].reason});
    if (answers != nullptr) rows.back().insert(rows.back().begin() + 1, answers->contains(node.node) ? answers->at(node.node) : "-");
  }
  print_table(rows);
  print_line("");
}

// Nodes with the same trouble, told once.
struct Group {
  const qnn::NodeVerdict* first = nullptr;
  const qnn::OpIssue* issue = nullptr;
  std::vector<std::string> nodes;
};

std::vector<Group> grouped_issues(const qnn::CheckOpsReport& report) {
  std::vector<Group> groups;
  std::map<std::string, std::size_t> places;
  for (const qnn::NodeVerdict& node : report.nodes)
    for (const qnn::OpIssue& issue : node.issues) {
      const std::string key = fmt::format("{}\n{}\n{}", node.op, name(issue.verdict), issue.reason);
      auto [place, added] = places.emplace(key, groups.size());
      if (added) groups.push_back({.first = &node, .issue = &issue});
      groups[place->second].nodes.push_back(node.node);
    }
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) { return a.issue->verdict > b.issue->verdict; });
  return groups;
}

void print_groups(const qnn::CheckOpsReport& report) {
  for (const Group& group : grouped_issues(report)) {
    print_line(fmt::format("{}: {}, {} node{}: {}", name(group.issue->verdict), group.first->op, group.nodes.size(), group.nodes.size() == 1 ? "" : "s",
                           group.issue->reason));
    if (!group.issue->advice.empty()) print_line("  do: " + group.issue->advice);
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamedNodes, group.nodes.size()); ++i) names += (i == 0 ? "" : ", ") + group.nodes[i];
    if (group.nodes.size() > kNamedNodes) names += fmt::format(" and {} more", group.nodes.size() - kNamedNodes);
    print_line(fmt::format("  at: {} ({})", names, group.issue->source));
  }
  for (const Finding& finding : report.graph)
    print_line(fmt::format("{}: {}", finding.severity == Severity::kError ? "refused" : finding.severity == Severity::kWarning ? "warning" : "note", finding.message));
}

}  // namespace

int check_ops_command(const CheckOpsArguments& arguments, const CommonArguments& common) {
  auto soc = qnn::find_soc(arguments.target);
  if (!soc) return print_error(soc.error());
  auto model = read_onnx(arguments.model);
  if (!model) return print_error(model.error());
  auto report = qnn::check_ops(*model, **soc);
  if (!report) return print_error(std::move(report).error().within(arguments.model.string()));
  std::optional<BackendAnswers> answers;
  if (arguments.backend_answers != nullptr) {
    auto asked = arguments.backend_answers(arguments.model, common.runtimes);
    if (!asked) return print_error(asked.error());
    answers = std::move(*asked);
  }
  const int code = report->accepted() ? 0 : static_cast<int>(ErrorKind::kCheckFailed);
  const BackendAnswers* backend = answers ? &*answers : nullptr;
  if (common.json) {
    print_json(to_json(*report, arguments.all, backend));
    return code;
  }
  if (arguments.all) print_every_node(*report, backend);
  print_groups(*report);
  print_line(fmt::format("{} on {}: {}; {} nodes ok, {} with a warning, {} refused", arguments.model.string(), report->target,
                         report->accepted() ? "accepted" : "REFUSED", report->ok, report->warnings, report->refused));
  return code;
}

}  // namespace fastvlm::cli
