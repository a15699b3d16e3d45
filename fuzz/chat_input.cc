// What people type and the files of a batch: any bytes give a command, questions or one sentence, and what is kept of an
// answers file is kept again.
#include <cstdlib>

#include "fastvlm/chat/batch_file.h"
#include "fastvlm/chat/interactive.h"

using namespace fastvlm;

namespace {

void check_answers(std::string_view text, const std::vector<BatchItem>& items) {
  auto kept = keep_answers(text, items, "run", "answers");
  if (!kept.ok()) return;
  auto again = keep_answers(kept->text, items, "run", "answers");
  if (!again.ok() || again->text != kept->text || again->answered != kept->answered || again->dropped != 0) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Command command = parse_command(text);
  if (command.kind == CommandKind::kQuestion && command.argument.empty()) std::abort();
  const bool has_file = command.kind == CommandKind::kImage || command.kind == CommandKind::kSave;
  if (has_file && (command.argument.empty() || command.argument.find('\0') != std::string::npos)) std::abort();

  auto items = parse_batch(text, "/folder", "questions");
  if (items.ok()) {
    for (const BatchItem& item : *items)
      if (item.line == 0 || item.hash.size() != 16 || item.image.empty() != item.image_file.empty()) std::abort();
    check_answers(text, *items);
  }
  // Two questions whose hashes a fuzzer can find.
  BatchItem one{.line = 1, .hash = "a"}, two{.line = 2, .hash = "b"};
  check_answers(text, {one, two});
  return 0;
}
