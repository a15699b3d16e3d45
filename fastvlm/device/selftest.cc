#include "fastvlm/device/selftest.h"

#include <algorithm>

#include "fastvlm/base/json.h"
#include "fastvlm/base/object_reader.h"
#include "fastvlm/base/plain_path.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm::device {
namespace {

constexpr std::size_t kMaxSelfTestBytes = std::size_t{16} << 20;
constexpr std::size_t kMaxTensorBytes = std::size_t{1} << 31;
constexpr std::int64_t kMaxExtent = std::int64_t{1} << 31;

// ---- JSON ---------------------------------------------------------------------------------------------------------------

OrderedJson json_of(const StoredTensor& tensor) {
  OrderedJson json = {{"name", tensor.name}, {"type", name(tensor.type)}, {"shape", tensor.shape}};
  if (!tensor.file.empty()) json["file"] = tensor.file;
  return json;
}

OrderedJson json_of(const std::vector<StoredTensor>& tensors) {
  OrderedJson rows = OrderedJson::array();
  for (const StoredTensor& tensor : tensors) rows.push_back(json_of(tensor));
  return rows;
}

OrderedJson json_of(const std::vector<GraphRun>& runs) {
  OrderedJson rows = OrderedJson::array();
  for (const GraphRun& run : runs)
    rows.push_back({{"name", run.name}, {"graph", run.graph}, {"inputs", json_of(run.inputs)}, {"outputs", json_of(run.outputs)}});
  return rows;
}

OrderedJson json_of(const PictureAnswer& answer) {
  return {{"name", answer.name},
          {"image_size", answer.image_size},
          {"question", answer.question},
          {"pieces", answer.pieces},
          {"ids", answer.ids},
          {"pixel_values", json_of(answer.pixel_values)},
          {"image_features", json_of(answer.image_features)},
          {"logits", json_of(answer.logits)}};
}

std::string plain_name(const ObjectReader& row, const char* key) {
  std::string text = row.text(key);
  if (!row.failed() && !is_file_name(text)) row.refuse("the key \"{}\" must be a plain name, but is \"{}\"", key, text);
  return text;
}

StoredTensor read_tensor(const ObjectReader& row) {
  // Outputs become files of that name.
  StoredTensor tensor{.name = plain_name(row, "name"), .shape = row.integers("shape", 0, kMaxExtent)};
  const std::string type = row.text("type");
  const auto* found = std::ranges::find(kDtypes, type, &DtypeFacts::name);
  if (found == kDtypes.end())
    row.refuse("the key \"type\" must be a type such as float32, but is \"{}\"", type);
  else
    tensor.type = found->dtype;
  const auto count = checked_element_count(tensor.shape);
  if (!count || static_cast<std::size_t>(*count) > kMaxTensorBytes / 8) row.refuse("the shape {} is too large", to_string(tensor.shape));
  if (row.has("file")) {
    tensor.file = row.text("file");
    if (!row.failed() && !stays_in_folder(tensor.file)) row.refuse("\"{}\" is no file of the folder", tensor.file);
  }
  return tensor;
}

// One that a result is compared with, as numbers.
StoredTensor read_compared(const ObjectReader& row) {
  StoredTensor tensor = read_tensor(row);
  if (!row.failed() && !is_float(tensor.type))
    row.refuse("\"{}\" is of type {}, but only floating numbers are compared with those of a device", tensor.name, name(tensor.type));
  return tensor;
}

std::vector<GraphRun> read_runs(const ObjectReader& test, const char* key) {
  std::vector<GraphRun> runs;
  test.each(key, [&](const ObjectReader& row) {
    GraphRun& run = runs.emplace_back(GraphRun{.name = plain_name(row, "name"), .graph = plain_name(row, "graph")});
    row.each("inputs", [&](const ObjectReader& tensor) { run.inputs.push_back(read_tensor(tensor)); });
    row.each("outputs", [&](const ObjectReader& tensor) { run.outputs.push_back(read_compared(tensor)); });
  });
  return runs;
}

std::vector<std::int32_t> narrow(const std::vector<std::int64_t>& ids) { return {ids.begin(), ids.end()}; }

PictureAnswer read_answer(const ObjectReader& row) {
  PictureAnswer answer{.name = plain_name(row, "name"),
                       .image_size = row.integer("image_size", 1, 1 << 16),
                       .question = row.text("question"),
                       .ids = narrow(row.integers("ids", 0, INT32_MAX)),
                       .pixel_values = read_tensor(row.object("pixel_values")),
                       .image_features = read_compared(row.object("image_features")),
                       .logits = read_compared(row.object("logits"))};
  const Json* pieces = row.array("pieces");
  for (std::size_t i = 0; pieces != nullptr && i < pieces->size(); ++i) {
    std::vector<std::int32_t>& ids = answer.pieces.emplace_back();
    if (!(*pieces)[i].is_array()) row.refuse("pieces[{}] must be a list of ids", i);
    for (const Json& id : (*pieces)[i]) {
      if (!id.is_number_unsigned() || id.get<std::uint64_t>() > INT32_MAX) row.refuse("pieces[{}] holds something that is no id", i);
      if (!row.failed()) ids.push_back(id.get<std::int32_t>());
    }
  }
  if (!row.failed() && (answer.pieces.size() != 2 || answer.logits.shape.size() != 2 ||
                        answer.logits.shape[0] != static_cast<std::int64_t>(answer.ids.size()) || answer.ids.empty()))
    row.refuse("two pieces of a prompt and an id for each row of logits were expected");
  return answer;
}

std::string in_words(const StoredTensor& tensor) { return fmt::format("{} {}", name(tensor.type), to_string(tensor.shape)); }

}  // namespace

std::string selftest_text(const SelfTest& test) {
  OrderedJson answers = OrderedJson::array();
  for (const PictureAnswer& answer : test.answers) answers.push_back(json_of(answer));
  const OrderedJson json = {{"format", kSelfTestFormat}, {"format_version", kSelfTestVersion}, {"chip", test.chip},
                            {"recipe", test.recipe},     {"runs", json_of(test.runs)},         {"probes", json_of(test.probes)},
                            {"answers", answers}};
  return json.dump(1) + "\n";
}

Result<SelfTest> parse_selftest(std::string_view text, const std::string& what) {
  TRY_ASSIGN(const Json json, parse_json(text, what));
  TRY_ASSIGN(const std::string format, json_string(json, "format", what));
  TRY_ASSIGN(const std::int64_t version, json_integer(json, "format_version", what));
  if (format != kSelfTestFormat || version != kSelfTestVersion)
    return bad_input("{}: is \"{}\" in version {}, expected \"{}\" in version {}", what, format, version, kSelfTestFormat,
                     kSelfTestVersion);
  std::optional<Error> problem;
  const ObjectReader row(json, what, problem);
  SelfTest test{.chip = row.text("chip"), .recipe = row.text("recipe"), .runs = read_runs(row, "runs"), .probes = read_runs(row, "probes")};
  row.each("answers", [&](const ObjectReader& answer) { test.answers.push_back(read_answer(answer)); });
  if (problem) return *std::move(problem);
  return test;
}

Result<SelfTest> read_selftest(const Path& bundle) {
  const Path path = bundle / kSelfTestFolder / kSelfTestFile;
  TRY_ASSIGN(const std::string text, read_file(path, kMaxSelfTestBytes));
  return parse_selftest(text, path.string());
}

// ---- Numbers ------------------------------------------------------------------------------------------------------------

Result<Tensor> load_stored(const Path& bundle, const StoredTensor& stored) {
  Tensor tensor = Tensor::zeros(stored.type, stored.shape);
  if (stored.file.empty()) return tensor;
  const Path path = bundle / kSelfTestFolder / stored.file;
  TRY_ASSIGN(const InputFile file, InputFile::open(path));
  if (file.size() != tensor.bytes.size())
    return bad_input("{}: has {} bytes, {} need {}", path.string(), file.size(), in_words(stored), tensor.bytes.size());
  TRY(file.read_at(0, tensor.bytes));
  return tensor;
}

Result<Tensor> load_result(const Path& path, const StoredTensor& expected) {
  TRY_ASSIGN(const InputFile file, InputFile::open(path));
  Tensor tensor = Tensor::zeros(Dtype::kFloat32, expected.shape);
  if (file.size() != tensor.bytes.size()) tensor = Tensor::zeros(expected.type, expected.shape);
  if (file.size() != tensor.bytes.size())
    return bad_input("{}: has {} bytes, {} or the same in float32 were expected", path.string(), file.size(), in_words(expected));
  TRY(file.read_at(0, tensor.bytes));
  return is_float(tensor.dtype) ? to_float32(tensor.view()) : tensor;
}

Status write_raw(const Path& path, const Tensor& tensor) {
  std::error_code failure;
  std::filesystem::create_directories(path.parent_path(), failure);
  return write_file_atomically(path, {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
}

}  // namespace fastvlm::device
