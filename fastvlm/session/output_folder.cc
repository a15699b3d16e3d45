#include "fastvlm/session/output_folder.h"

#include <algorithm>
#include <charconv>

#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest.h"

namespace fastvlm {
namespace {

constexpr const char* kTableFile = "embedding_float32_lut.bin";
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;  // keeps products of two within 64 bits

// "name<first>separator<second>" with two whole numbers.
bool parse_pair(std::string_view text, std::string_view prefix, std::string_view separator, std::int64_t& first, std::int64_t& second) {
  if (!text.starts_with(prefix)) return false;
  const char* end = text.data() + text.size();
  auto a = std::from_chars(text.data() + prefix.size(), end, first);
  if (a.ec != std::errc() || !std::string_view(a.ptr, end).starts_with(separator)) return false;
  auto b = std::from_chars(a.ptr + separator.size(), end, second);
  return b.ec == std::errc() && b.ptr == end;
}

Result<std::int64_t> extent(const Json& object, const char* key, const std::string& what) {
  TRY_ASSIGN(std::int64_t value, json_integer(object, key, what));
  if (value < 1 || value >= kMaxExtent) return bad_input("{}: {} = {} must be above 0 and below 2^31", what, key, value);
  return value;
}

Result<GraphFile> read_graph(const Json& row, const std::string& what) {
  GraphFile graph;
  TRY_ASSIGN(graph.name, json_string(row, "name", what));
  TRY_ASSIGN(graph.file, json_string(row, "file", what));
  if (Path(graph.file).is_absolute() || graph.file.find("..") != std::string::npos)
    return bad_input("{}: graph file \"{}\" leaves the folder", what, graph.file);
  if (json_find(row, "group") == nullptr) return graph;
  TRY_ASSIGN(graph.group, json_string(row, "group", what));
  const std::string where = fmt::format("{}: graph \"{}\"", what, graph.name);
  if (graph.group == "vision") {
    TRY_ASSIGN(graph.image_size, extent(row, "image_size", where));
  } else if (graph.group.starts_with("decoder")) {
    TRY_ASSIGN(graph.new_tokens, extent(row, "new_tokens", where));
    TRY_ASSIGN(graph.context, extent(row, "context", where));
    if (graph.group != "decoder" && (!parse_pair(graph.group, "decoder_part_", "_of_", graph.part, graph.parts) || graph.part < 1 ||
                                     graph.part > graph.parts || graph.parts > 1000))
      return bad_input("{}: group \"{}\" is not of the form decoder_part_1_of_3", where, graph.group);
  } else if (!parse_pair(graph.group, "fused_v", "_t", graph.vision_tokens, graph.text_tokens) || graph.vision_tokens < 1 ||
             graph.text_tokens < 1 || graph.vision_tokens >= kMaxExtent || graph.text_tokens >= kMaxExtent) {
    return bad_input("{}: group \"{}\" is not known", where, graph.group);
  }
  return graph;
}

Result<const Json*> section(const Json& object, const char* key, const std::string& what) {
  const Json* found = json_find(object, key);
  if (found == nullptr || !found->is_object()) return bad_input("{}: \"{}\" must be an object", what, key);
  return found;
}

Status read_model(OutputFolder& folder, const std::string& what) {
  TRY_ASSIGN(const Json* model, section(folder.manifest, "model", what));
  TRY_ASSIGN(const Json* text, section(*model, "text", what));
  TRY_ASSIGN(const Json* vision, section(*model, "vision", what));
  TRY_ASSIGN(const Json* preprocessing, section(folder.manifest, "preprocessing", what));
  TRY_ASSIGN(folder.hidden_size, extent(*text, "hidden_size", what));
  TRY_ASSIGN(folder.num_hidden_layers, extent(*text, "num_hidden_layers", what));
  TRY_ASSIGN(folder.vocab_size, extent(*text, "vocab_size", what));
  TRY_ASSIGN(folder.head_dim, extent(*text, "head_dim", what));
  TRY_ASSIGN(folder.rope_theta, json_number(*text, "rope_theta", what));
  TRY_ASSIGN(folder.vision_width, extent(*vision, "hidden_size", what));
  TRY_ASSIGN(folder.image_size, extent(*preprocessing, "image_size", what));
  TRY_ASSIGN(folder.image_tokens, extent(*preprocessing, "image_tokens", what));
  TRY_ASSIGN(std::string dtype, json_string(folder.manifest, "dtype", what));
  folder.half = dtype == "float16";
  return {};
}

}  // namespace

Result<OutputFolder> open_output_folder(const Path& path) {
  OutputFolder folder{.path = path};
  TRY_ASSIGN(folder.manifest, read_manifest(path));
  const std::string what = (path / kManifestFile).string();
  TRY(read_model(folder, what));
  const Json* rows = json_find(folder.manifest, "graphs");
  if (rows == nullptr || !rows->is_array()) return bad_input("{}: \"graphs\" must be a list", what);
  for (const Json& row : *rows) {
    TRY_ASSIGN(GraphFile graph, read_graph(row, what));
    folder.graphs.push_back(std::move(graph));
  }
  for (const char* wanted : {kVisionEncoderName, kDecoderName, kTokenEmbedderName})
    if (folder.find(wanted) == nullptr) return bad_input("{}: the graph \"{}\" is not listed", what, wanted);
  return folder;
}

const GraphFile* OutputFolder::find(const std::string& name) const {
  auto at = std::ranges::find(graphs, name, &GraphFile::name);
  return at == graphs.end() ? nullptr : &*at;
}

const GraphFile* OutputFolder::vision(std::int64_t size) const {
  auto at = std::ranges::find_if(graphs, [&](const GraphFile& graph) { return graph.group == "vision" && graph.image_size == size; });
  return at == graphs.end() ? nullptr : &*at;
}

bool OutputFolder::has_decoder() const {
  return std::ranges::any_of(graphs, [](const GraphFile& graph) { return graph.new_tokens > 0; });
}

Result<EmbeddingTable> EmbeddingTable::open(const OutputFolder& folder) {
  const Path path = folder.path / kTableFile;
  TRY_ASSIGN(MappedFile file, MappedFile::open(path));
  const std::uint64_t expected = static_cast<std::uint64_t>(folder.vocab_size) * static_cast<std::uint64_t>(folder.hidden_size);
  if (file.bytes().size() % 4 != 0 || file.bytes().size() / 4 != expected)
    return bad_input("{}: has {} bytes, but {} vocabulary rows of {} float32 numbers need {}", path.string(), file.bytes().size(),
                     folder.vocab_size, folder.hidden_size, fmt::format("{} x 4", expected));
  return EmbeddingTable(std::move(file), folder.vocab_size, folder.hidden_size);
}

std::span<const float> EmbeddingTable::row(std::int64_t id) const {
  FASTVLM_ASSERT(id >= 0 && id < rows_, "a token id of the table");
  return {reinterpret_cast<const float*>(file_.bytes().data()) + id * width_, static_cast<std::size_t>(width_)};
}

Result<Tensor> EmbeddingTable::gather(std::span<const std::int64_t> ids) const {
  Tensor result = Tensor::zeros(Dtype::kFloat32, {static_cast<std::int64_t>(ids.size()), width_});
  auto out = result.floats().begin();
  for (std::int64_t id : ids) {
    if (id < 0 || id >= rows_) return bad_input("token id {} is outside the vocabulary of {} rows", id, rows_);
    out = std::ranges::copy(row(id), out).out;
  }
  return result;
}

}  // namespace fastvlm
