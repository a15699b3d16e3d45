#include "fastvlm/datasheet/datasheet.h"

#include <algorithm>
#include <utility>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/temporary_folder.h"
#include "fastvlm/base/try.h"
#include "fastvlm/chat/chat.h"
#include "fastvlm/image/made_up_picture.h"
#include "fastvlm/image/png_writer.h"
#include "fastvlm/image/preprocess.h"
#include "fastvlm/inspect/inspect.h"
#include "fastvlm/report/picture.h"
#include "fastvlm/text/tokenizer.h"
#include "fastvlm/verify/verify.h"

namespace fastvlm {
namespace {

constexpr int kPictureSide = 320;  // pixels on the page
constexpr int kMadeUpSide = 512;
constexpr std::string_view kMadeUpName = "made up";
constexpr std::string_view kCpu = "CPU";

struct PictureFile {
  Path path;
  std::string name;
};

class Gatherer {
 public:
  Gatherer(const DatasheetOptions& options, Progress& progress) : o_(options), progress_(progress) {}

  Result<Datasheet> gather() {
    TRY_ASSIGN(sheet_.folder, open_output_folder(o_.output_dir));
    TRY_ASSIGN(sheet_.manifest_sha256, sha256_of_file(o_.output_dir / kManifestFile));
    for (const auto& [name, file] : sheet_.folder.manifest.files) sheet_.bytes += file.bytes;
    sheet_.question = o_.question;
    TRY_ASSIGN(const TemporaryFolder temporary, TemporaryFolder::create());
    TRY(find_pictures(temporary.path()));
    TRY(show_pictures());
    TRY(answer());
    if (o_.verify) {
      TRY(check());
      TRY(layers());
      TRY(weights());
    }
    TRY(contexts());
    return std::move(sheet_);
  }

 private:
  // A sentence without the place of the output folder, which is another one for whoever reads it.
  std::string here(std::string text) const {
    const std::string place = o_.output_dir.string();
    for (std::size_t at = text.find(place); !place.empty() && at != std::string::npos; at = text.find(place, at))
      text.erase(at, place.size());
    return text;
  }
  // An Error as a sentence, unless it ends the work.
  Status tell(Error error, std::string& where) const {
    if (error.kind == ErrorKind::kInterrupted) return error;
    where = here(std::move(error.message));
    return {};
  }

  // ---- Pictures ----
  Status find_pictures(const Path& temporary) {
    for (const Path& path : o_.pictures) files_.push_back({path, path.filename().string()});
    if (!files_.empty()) return {};
    files_.push_back({temporary / "picture.png", std::string(kMadeUpName)});
    return write_png(files_.back().path, made_up_picture(kMadeUpSide, 0));
  }

  Status show_pictures() {
    for (const PictureFile& file : files_) {
      TRY_ASSIGN(std::string shown, report::embedded_picture(file.path, kPictureSide, file.name));
      sheet_.pictures.push_back({.name = file.name, .picture = std::move(shown), .answers = {}});
    }
    return {};
  }

  Status answer() {
    std::vector<std::string> recipes = sheet_.folder.manifest.recipes();
    if (recipes.empty()) recipes.emplace_back();
    progress_.start("asking about pictures", recipes.size() * files_.size() * (o_.open_npu ? 2 : 1));
    for (const std::string& recipe : recipes) {
      TRY(ask(recipe, std::string(kCpu), o_.open_cpu));
      if (o_.open_npu) TRY(ask(recipe, o_.chip, o_.open_npu));
    }
    return {};
  }

  Status ask(const std::string& recipe, const std::string& runner, const OpenGraph& open) {
    auto chat = Chat::open({.folder = o_.output_dir,
                            .open_graph = open,
                            .recipe = recipe,
                            .image_size = std::nullopt,
                            .sampling = {},
                            .max_new_tokens = o_.max_new_tokens,
                            .keep_vision_open = files_.size() > 1,
                            .decode = {}});
    for (std::size_t i = 0; i < files_.size(); ++i) {
      TRY(check_interrupt());
      SheetAnswer answer{.recipe = recipe, .runner = runner, .text = {}, .problem = {}};
      auto said = chat.ok() ? ask_one(**chat, files_[i].path) : Result<std::string>(chat.error());
      if (said.ok())
        answer.text = std::move(*said);
      else
        TRY(tell(std::move(said).error(), answer.problem));
      sheet_.pictures[i].answers.push_back(std::move(answer));
      progress_.advance(1);
    }
    return {};
  }

  Result<std::string> ask_one(Chat& chat, const Path& picture) const {
    TRY(chat.start(picture));
    TRY_ASSIGN(Answer answer, chat.ask(o_.question, nullptr));
    if (answer.finish == Finish::kMaxNewTokens || answer.finish == Finish::kContextFull) answer.text += " …";
    return std::move(answer.text);
  }

  // ---- Accuracy ----
  Status check() {
    TRY_ASSIGN(sheet_.verified, verify({.output_dir = o_.output_dir,
                                        .model_dir = std::nullopt,
                                        .base_model = {},
                                        .reference = std::nullopt,
                                        .open_cpu = o_.open_cpu,
                                        .open_npu = o_.open_npu,
                                        .chip = o_.chip,
                                        .recipe = {},
                                        .gates = {}},
                                       progress_));
    for (VerifyRow& row : sheet_.verified->rows) row.sentence = here(std::move(row.sentence));
    return {};
  }

  Status layers() {
    progress_.start("layers", 0);
    auto measured = measure();
    if (!measured.ok()) return tell(std::move(measured).error(), sheet_.layers_problem);
    sheet_.layers = std::move(*measured);
    if (sheet_.layers.empty()) sheet_.layers_problem = "The folder has no static graphs whose layers could be compared.";
    return {};
  }

  Result<std::vector<LayerAccuracy>> measure() const {
    const OutputFolder& folder = sheet_.folder;
    const std::int64_t size = layer_picture_size(folder);
    TRY_ASSIGN(const std::vector<float> pixels,
               load_pixel_values(files_.front().path,
                                 {.settings = folder.manifest.preprocessing.settings.at_size(static_cast<int>(size)), .decode = {}}));
    TRY_ASSIGN(const Tokenizer tokenizer, Tokenizer::load(o_.output_dir));
    return measure_layers(folder, {.open_cpu = o_.open_cpu,
                                   .open_npu = o_.open_npu,
                                   .pixel_values = Tensor::of_floats({1, 3, size, size}, pixels),
                                   .text_ids = tokenizer.encode(o_.question)});
  }

  Status weights() {
    progress_.start("weights", 0);
    auto measured = weight_accuracy(o_.output_dir, sheet_.folder.manifest);
    if (!measured.ok()) return tell(std::move(measured).error(), sheet_.weights_problem);
    sheet_.weights = std::move(*measured);
    return {};
  }

  // ---- Contexts ----
  Status contexts() {
    progress_.start("contexts", 0);
    for (const TargetEntry& target : sheet_.folder.manifest.targets)
      for (const ContextEntry& entry : target.contexts) {
        TRY(check_interrupt());
        ContextSheet sheet{.chip = target.chip, .entry = entry, .facts = {}, .problem = {}};
        const Path file = o_.output_dir / compiled_folder(target.chip) / entry.binary;
        auto report = inspect({.path = file, .program = o_.program, .runtimes = o_.runtimes});
        if (report.ok()) {
          if (report->problem) TRY(tell(*report->problem, sheet.problem));
          sheet.facts = std::move(report->facts);
        } else {
          TRY(tell(std::move(report).error(), sheet.problem));
        }
        sheet_.contexts.push_back(std::move(sheet));
      }
    return {};
  }

  const DatasheetOptions& o_;
  Progress& progress_;
  Datasheet sheet_;
  std::vector<PictureFile> files_;
};

}  // namespace

Result<Datasheet> gather_datasheet(const DatasheetOptions& options, Progress& progress) { return Gatherer(options, progress).gather(); }

}  // namespace fastvlm
