#include "fastvlm/api/tokenize.h"
#include "fastvlm/api/bridge.h"
#include "fastvlm/base/try.h"
#include "fastvlm/text/tokenizer.h"

namespace fastvlm::api {

struct Tokenizer::State {
  fastvlm::Tokenizer tokenizer;
};

Result<Tokenizer> Tokenizer::load(const std::string& folder) {
  return without_exceptions<Tokenizer>([&]() -> Result<Tokenizer> {
    TRY_ASSIGN(fastvlm::Tokenizer tokenizer, fastvlm::Tokenizer::load(folder));
    return Tokenizer(std::make_shared<const State>(State{std::move(tokenizer)}));
  });
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text) const { return state_->tokenizer.encode(text); }
std::string Tokenizer::decode(const std::vector<std::int32_t>& ids) const { return state_->tokenizer.decode(ids); }
std::int32_t Tokenizer::size() const { return state_->tokenizer.size(); }

}  // namespace fastvlm::api
