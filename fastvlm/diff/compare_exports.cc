#include "fastvlm/diff/compare_exports.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

#include "fastvlm/base/decibels.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/json_text.h"
#include "fastvlm/base/try.h"
#include "fastvlm/bundle/manifest_json.h"
#include "fastvlm/diff/weight_numbers.h"

namespace fastvlm {
namespace {

constexpr std::int64_t kNumbersAtOnce = std::int64_t{1} << 20;
constexpr std::size_t kMaxManifestBytes = std::size_t{256} << 20;

// ---- JSON, member by member ---------------------------------------------------------------------------------------------

// Every member by its path. Flattening leaves null where a list or object is empty: nothing is there.
OrderedJson members_of(const OrderedJson& json) {
  const OrderedJson flat = json.flatten();
  OrderedJson members = OrderedJson::object();
  for (const auto& [key, value] : flat.items())
    if (!value.is_null()) members[key] = value;
  return members;
}

// Members that differ, in the order of the first, then those that only the second has.
std::vector<ChangedSetting> changed_members(const OrderedJson& first, const OrderedJson& second) {
  const OrderedJson one = members_of(first), other = members_of(second);
  std::vector<ChangedSetting> changes;
  for (const auto& [key, value] : one.items()) {
    const auto found = other.find(key);
    if (found == other.end())
      changes.push_back({key, plain_text(value), ""});
    else if (*found != value)
      changes.push_back({key, plain_text(value), plain_text(*found)});
  }
  for (const auto& [key, value] : other.items())
    if (!one.contains(key)) changes.push_back({key, "", plain_text(value)});
  return changes;
}

// Everything of a manifest that is no list of graphs, weights or files.
OrderedJson settings_of(const Manifest& manifest) {
  OrderedJson json = OrderedJson::parse(manifest_text(manifest));
  for (const char* key : {"graphs", "weights", "files"}) json.erase(key);
  return json;
}

// ---- Comparing ----------------------------------------------------------------------------------------------------------

// Sums over all numbers of a weight.
struct Sums {
  double max_abs = 0, signal = 0, noise = 0;
  std::int64_t not_finite = 0;

  void add(std::span<const float> first, std::span<const float> second) {
    for (std::size_t i = 0; i < first.size(); ++i) {
      if (!std::isfinite(first[i]) || !std::isfinite(second[i])) ++not_finite;
      const double a = std::isfinite(first[i]) ? first[i] : 0, b = std::isfinite(second[i]) ? second[i] : 0;
      max_abs = std::max(max_abs, std::abs(a - b));
      signal += a * a;
      noise += (a - b) * (a - b);
    }
  }
  double snr_db() const { return decibels(signal, noise); }
};

Result<NumberDifference> distance(const WeightNumbers& first, const WeightNumbers& second) {
  const std::int64_t unit = std::lcm(first.unit(), second.unit()), step = std::max(unit, kNumbersAtOnce / unit * unit);
  std::vector<float> a, b;
  Sums sums;
  for (std::int64_t begin = 0; begin < first.count(); begin += step) {
    TRY(check_interrupt());
    const auto count = static_cast<std::size_t>(std::min(step, first.count() - begin));
    a.resize(count);
    b.resize(count);
    first.read(begin, a);
    second.read(begin, b);
    sums.add(a, b);
  }
  return NumberDifference{.max_abs = sums.max_abs, .snr_db = sums.snr_db(), .not_finite = sums.not_finite};
}

class Comparison {
 public:
  Comparison(const ExportSide& first, const ExportSide& second) : a_(first), b_(second) {}

  Result<ExportDifferences> run() {
    found_.settings = changed_members(settings_of(a_.manifest), settings_of(b_.manifest));
    compare_files();
    compare_graphs();
    TRY(compare_weights());
    return std::move(found_);
  }

 private:
  bool same_file(const std::string& name) const {
    const auto a = a_.manifest.files.find(name), b = b_.manifest.files.find(name);
    return a != a_.manifest.files.end() && b != b_.manifest.files.end() && a->second.bytes == b->second.bytes &&
           a->second.sha256 == b->second.sha256;
  }

  // Of a file that both list.
  bool other_bytes(const std::string& name) const {
    return a_.manifest.files.contains(name) && b_.manifest.files.contains(name) && !same_file(name);
  }

  void compare_files() {
    const auto &a = a_.manifest.files, &b = b_.manifest.files;
    for (const auto& [name, file] : a) {
      const auto other = b.find(name);
      if (other == b.end())
        found_.only_files.first.push_back(name);
      else if (other_bytes(name))
        found_.files.push_back({name, file.bytes, other->second.bytes});
    }
    for (const auto& [name, file] : b)
      if (!a.contains(name)) found_.only_files.second.push_back(name);
  }

  void compare_graphs() {
    const auto find = [](const Manifest& manifest, const std::string& file) {
      const auto at = std::ranges::find(manifest.graphs, file, &GraphEntry::file);
      return at == manifest.graphs.end() ? nullptr : &*at;
    };
    for (const GraphEntry& graph : a_.manifest.graphs) {
      const GraphEntry* other = find(b_.manifest, graph.file);
      if (other == nullptr) {
        found_.only_graphs.first.push_back(graph.file);
        continue;
      }
      auto changes = changed_members(to_json(graph), to_json(*other));
      if (!changes.empty() || other_bytes(graph.file)) found_.graphs.push_back({graph.file, std::move(changes)});
    }
    for (const GraphEntry& graph : b_.manifest.graphs)
      if (find(a_.manifest, graph.file) == nullptr) found_.only_graphs.second.push_back(graph.file);
  }

  // ---- Weights ----
  using Key = std::tuple<std::string, std::string, int>;  // file, name, and which of several with that name

  static std::vector<std::pair<Key, StoredWeight>> keyed(const Manifest& manifest) {
    std::map<std::pair<std::string, std::string>, int> counts;
    std::vector<std::pair<Key, StoredWeight>> result;
    for (StoredWeight& weight : stored_weights(manifest)) {
      const std::string& file = weight.entry->file;
      const int number = counts[{file, weight.name}]++;
      result.emplace_back(Key{file, weight.name, number}, std::move(weight));
    }
    return result;
  }

  Status compare_weights() {
    const auto ours = keyed(a_.manifest), theirs = keyed(b_.manifest);
    const std::map<Key, StoredWeight> others(theirs.begin(), theirs.end());
    std::set<Key> seen;
    for (const auto& [key, weight] : ours) {
      seen.insert(key);
      const auto other = others.find(key);
      const std::string& file = weight.entry->file;
      if (other != others.end())
        TRY(compare_weight(weight, other->second));
      else if (b_.manifest.files.contains(file))
        found_.only_weights.first.push_back(weight.name + " in " + file);
    }
    for (const auto& [key, weight] : theirs)
      if (!seen.contains(key) && a_.manifest.files.contains(weight.entry->file))
        found_.only_weights.second.push_back(weight.name + " in " + weight.entry->file);
    std::ranges::stable_sort(found_.weights, {}, [](const ChangedWeight& weight) {
      return weight.numbers ? weight.numbers->snr_db : -2 * kEqualDb;  // those without numbers first
    });
    return {};
  }

  // The file of one side, mapped once; nullptr: it is not there.
  Result<const MappedFile*> mapped(const ExportSide& side, const std::string& name, std::map<std::string, MappedFile>& open) {
    if (const auto found = open.find(name); found != open.end()) return &found->second;
    std::error_code failure;
    if (!std::filesystem::exists(side.folder / name, failure)) return nullptr;
    TRY_ASSIGN(MappedFile file, MappedFile::open(side.folder / name));
    return &open.emplace(name, std::move(file)).first->second;
  }

  Status compare_weight(const StoredWeight& first, const StoredWeight& second) {
    const WeightEntry &a = *first.entry, &b = *second.entry;
    if (same_file(a.file) && a.offset == b.offset && a.type == b.type && a.shape == b.shape) return same();
    ChangedWeight row{.file = a.file, .name = first.name, .shape = a.shape, .numbers = std::nullopt, .sentence = {}};
    if (a.shape == b.shape && (first.scales == nullptr) == (second.scales == nullptr)) {
      TRY_ASSIGN(const bool equal, compare_numbers(first, second, row));
      if (equal) return same();
    } else {
      row.sentence = fmt::format("is {} {} in the first, {} {} in the second", fastvlm::name(a.type), to_string(a.shape),
                                 fastvlm::name(b.type), to_string(b.shape));
    }
    found_.weights.push_back(std::move(row));
    return {};
  }

  // Fills in the row; true: both are stored alike, down to the bytes.
  Result<bool> compare_numbers(const StoredWeight& first, const StoredWeight& second, ChangedWeight& row) {
    const Dtype ours = first.entry->type, theirs = second.entry->type;
    TRY_ASSIGN(const MappedFile* one, mapped(a_, row.file, files_[0]));
    TRY_ASSIGN(const MappedFile* other, mapped(b_, row.file, files_[1]));
    if (one == nullptr || other == nullptr) {
      row.sentence = fmt::format("not compared: {} is not beside the {} manifest", row.file, one == nullptr ? "first" : "second");
      return false;
    }
    auto x = WeightNumbers::open(first, *one), y = WeightNumbers::open(second, *other);
    if (!x.ok()) return at(a_, std::move(x).error());
    if (!y.ok()) return at(b_, std::move(y).error());
    if (ours == theirs && std::ranges::equal(x->bytes(), y->bytes()) && std::ranges::equal(x->scale_bytes(), y->scale_bytes())) return true;
    if (x->count() != y->count()) {
      row.sentence = fmt::format("is \"{}\" in the first, \"{}\" in the second", first.entry->done, second.entry->done);
      return false;
    }
    TRY_ASSIGN(row.numbers, distance(*x, *y));
    if (ours != theirs) row.sentence = fmt::format("{} became {}", fastvlm::name(ours), fastvlm::name(theirs));
    return false;
  }

  static Error at(const ExportSide& side, Error error) { return std::move(error).within(side.folder.string()); }

  Status same() {
    ++found_.same_weights;
    return {};
  }

  const ExportSide &a_, &b_;
  ExportDifferences found_;
  std::map<std::string, MappedFile> files_[2];
};

OrderedJson to_json(const std::vector<ChangedSetting>& changes) {
  OrderedJson rows = OrderedJson::array();
  for (const ChangedSetting& change : changes) rows.push_back({{"key", change.key}, {"first", change.first}, {"second", change.second}});
  return rows;
}

OrderedJson to_json(const OneSided& only) { return {{"first", only.first}, {"second", only.second}}; }

}  // namespace

Result<ExportSide> open_export_side(const Path& path) {
  std::error_code failure;
  if (!std::filesystem::exists(path, failure)) return bad_input("{}: there is no such file or folder", path.string());
  ExportSide side{.folder = path, .manifest = {}};
  if (std::filesystem::is_directory(path, failure)) {
    TRY_ASSIGN(side.manifest, read_manifest(path));
    return side;
  }
  TRY_ASSIGN(const std::string text, read_file(path, kMaxManifestBytes));
  TRY_ASSIGN(side.manifest, parse_manifest(text, path.string()));
  side.folder = path.has_parent_path() ? path.parent_path() : Path(".");
  return side;
}

bool ExportDifferences::same() const {
  return settings.empty() && graphs.empty() && only_graphs.empty() && weights.empty() && only_weights.empty() && files.empty() &&
         only_files.empty();
}

Result<ExportDifferences> compare_exports(const ExportSide& first, const ExportSide& second) { return Comparison(first, second).run(); }

OrderedJson to_json(const ExportDifferences& d) {
  OrderedJson graphs = OrderedJson::array(), weights = OrderedJson::array(), files = OrderedJson::array();
  for (const ChangedGraph& graph : d.graphs) graphs.push_back({{"file", graph.file}, {"changes", to_json(graph.changes)}});
  for (const ChangedWeight& weight : d.weights) {
    OrderedJson row = {{"file", weight.file}, {"name", weight.name}, {"shape", weight.shape}};
    if (weight.numbers)
      row.update({{"max_abs", weight.numbers->max_abs}, {"snr_db", weight.numbers->snr_db}, {"not_finite", weight.numbers->not_finite}});
    if (!weight.sentence.empty()) row["sentence"] = weight.sentence;
    weights.push_back(std::move(row));
  }
  for (const ChangedFile& file : d.files)
    files.push_back({{"name", file.name}, {"first_bytes", file.first_bytes}, {"second_bytes", file.second_bytes}});
  return {{"same", d.same()},
          {"settings", to_json(d.settings)},
          {"graphs", graphs},
          {"only_graphs", to_json(d.only_graphs)},
          {"weights", weights},
          {"only_weights", to_json(d.only_weights)},
          {"same_weights", d.same_weights},
          {"files", files},
          {"only_files", to_json(d.only_files)}};
}

}  // namespace fastvlm
