#include "fastvlm/base/try.h"
#include "fastvlm/text/tokenizer.h"
#include "fastvlm/verify/checks.h"

namespace fastvlm {

Status check_tokenizer(const OutputFolder& folder, VerifyReport& report) {
  std::error_code ignored;
  if (!std::filesystem::exists(folder.path / "tokenizer.json", ignored)) return {};
  TRY_ASSIGN(const Tokenizer tokenizer, Tokenizer::load(folder.path));
  if (auto problem = tokenizer.without_row(folder.text().vocab_size)) {
    report.miss("tokenizer", "tokenizer.json", *problem);
  } else {
    report.pass("tokenizer", "tokenizer.json", fmt::format("all {} tokens have a row in the embedding table", tokenizer.size()));
  }
  return {};
}

}  // namespace fastvlm
