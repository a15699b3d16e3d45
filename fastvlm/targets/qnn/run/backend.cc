#include "fastvlm/targets/qnn/run/backend.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <set>
#include <sstream>
#include <vector>

#include "fastvlm/base/ascii.h"
#include "fastvlm/base/try.h"

namespace fastvlm::qnn {
namespace {

// What the backend's codes and phrases mean to a user.
struct KnownFailure {
  const char* phrase;  // digits alone: an error code
  const char* advice;
  ErrorKind kind = ErrorKind::kBadInput;
  const char* foreign_advice = nullptr;  // instead, for graphs that are not of ours
};
constexpr std::array kKnownFailures = {
    KnownFailure{
        "1002",
        "the context does not fit this chip or uses arithmetic it lacks (error 1002); cut the decoder with `part_limit_bytes`, shorten "
        "`context`, or choose another `targets`",
        ErrorKind::kBadInput,
        "the context does not fit this chip or uses arithmetic it lacks (error 1002); choose another chip, or a smaller model"},
    KnownFailure{"5000", "the context was made by a newer QNN than this runtime (error 5000); compile again with this runtime"},
    KnownFailure{"dynamic shape", "HTP takes no symbolic extents; export static graphs with `targets`"},
    KnownFailure{"already exists", "the output file exists; remove it or choose another folder"},
    KnownFailure{"Failed to write context cache file", "the context could not be written; the disk is full or does not let us write",
                 ErrorKind::kEnvironment},
    KnownFailure{"No space left on device", "the disk is full", ErrorKind::kEnvironment},
    KnownFailure{"bad_alloc", "memory ran short; stop other programs or use a larger machine", ErrorKind::kEnvironment},
    KnownFailure{"Failed to allocate memory", "memory ran short; stop other programs or use a larger machine", ErrorKind::kEnvironment},
};

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.'; }

// Whether the text gives that number as a code, as in "Error code: 1002" or "err 5000": names and sizes have numbers, too.
bool has_code(const std::string& text, std::string_view code) {
  constexpr std::size_t kNear = 16;
  for (std::size_t at = text.find(code); at != std::string::npos; at = text.find(code, at + 1)) {
    const std::size_t end = at + code.size();
    if ((at > 0 && is_word(text[at - 1])) || (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end])) != 0)) continue;
    const std::string before = in_small_letters(text.substr(at - std::min(at, kNear), std::min(at, kNear)));
    if (before.find("code") != std::string::npos || before.find("err") != std::string::npos) return true;
  }
  return false;
}

bool tells(const std::string& text, std::string_view phrase) {
  const bool code = std::ranges::all_of(phrase, [](char c) { return c >= '0' && c <= '9'; });
  return code ? has_code(text, phrase) : text.find(phrase) != std::string::npos;
}

// Lines of the log that name a node the backend refused.
std::vector<std::string> refused_nodes(const std::string& log) {
  std::vector<std::string> nodes;
  std::set<std::string> seen;
  std::istringstream lines(log);
  for (std::string line; std::getline(lines, line) && nodes.size() < 5;) {
    auto at = line.find("Node name:");
    if (at == std::string::npos) continue;
    std::string node = line.substr(at, 240);
    if (seen.insert(node).second) nodes.push_back(std::move(node));
  }
  return nodes;
}

std::string first_line(const std::string& text) { return text.substr(0, std::min<std::size_t>(text.find('\n'), 400)); }

}  // namespace

Result<std::shared_ptr<OrtRuntime>> load_backend(const RuntimePaths& paths) {
  TRY_ASSIGN(auto runtime, OrtRuntime::load(paths.onnxruntime_library));
  TRY(runtime->register_provider(kProviderName, paths.qnn_plugin));
  return runtime;
}

Result<std::unique_ptr<OrtRunner>> open_session(const std::shared_ptr<OrtRuntime>& runtime, const RuntimePaths& paths, const Path& model,
                                                const SessionRequest& request) {
  OrtRunnerOptions options;
  // The full path: the bare backend name is not found under every loader.
  options.provider = ExecutionProvider{.name = kProviderName,
                                       .options = {{"backend_path", (paths.qnn_folder / "libQnnHtp.so").string()},
                                                   {"soc_model", std::to_string(request.soc_model)},
                                                   {"htp_graph_finalization_optimization_mode", "3"}}};
  options.session_entries["session.disable_cpu_ep_fallback"] = "1";
  if (request.vtcm_mib > 0) options.provider->options["vtcm_mb"] = std::to_string(request.vtcm_mib);
  if (!request.trace.empty()) {
    options.provider->options["enable_framework_op_trace"] = "1";
    options.provider->options["framework_op_trace_dir"] = request.trace.string();
  }
  if (!request.context.empty()) {
    options.session_entries["ep.context_enable"] = "1";
    options.session_entries["ep.context_file_path"] = request.context.string();
    options.session_entries["ep.context_embed_mode"] = "0";
    options.session_entries["ep.context_node_name_prefix"] = request.name_prefix;
  }
  if (request.share) {
    options.session_entries["ep.share_ep_contexts"] = "1";
    if (request.last) options.session_entries["ep.stop_share_ep_contexts"] = "1";
  }
  Result<std::unique_ptr<OrtRunner>> session = bad_input("{}", model.string());
  if (request.data_folder.empty()) {
    session = OrtRunner::open(runtime, model, options);
  } else {
    TRY_ASSIGN(const std::string bytes, read_file(model, std::size_t{1} << 31));
    session = OrtRunner::open(runtime, {as_bytes(bytes), model.string(), request.data_folder}, options);
  }
  if (!session.ok()) return explain_failure(session.error(), runtime->take_log(), model, request.foreign);
  return session;
}

Error explain_failure(const Error& error, const std::string& log, const Path& model, bool foreign) {
  if (error.kind == ErrorKind::kInterrupted) return error;
  std::string sentence = model.filename().string() + ": the backend refused it";
  const auto nodes = refused_nodes(log);
  for (std::size_t i = 0; i < nodes.size(); ++i) sentence += (i == 0 ? ": " : "; ") + nodes[i];
  const std::string everything = error.message + log;
  for (const KnownFailure& known : kKnownFailures)
    if (tells(everything, known.phrase)) {
      const char* advice = foreign && known.foreign_advice != nullptr ? known.foreign_advice : known.advice;
      return {known.kind, fmt::format("{}: {}", sentence, advice)};
    }
  if (nodes.empty()) sentence += ": " + first_line(error.message);
  return bad_input("{}", sentence);
}

}  // namespace fastvlm::qnn
