#include "fastvlm/base/hash.h"

#include <openssl/evp.h>

#include <array>
#include <vector>

#include "fastvlm/base/interrupt.h"
#include "fastvlm/base/try.h"

namespace fastvlm {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  State() { FASTVLM_ASSERT(EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1, "SHA-256 is part of OpenSSL"); }
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {}
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;
Sha256::~Sha256() = default;

void Sha256::update(std::span<const std::byte> bytes) { EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()); }

std::string Sha256::hex() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  EVP_DigestFinal_ex(state_->context, digest.data(), &length);
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_of(std::string_view bytes) {
  Sha256 hash;
  hash.update(as_bytes(bytes));
  return hash.hex();
}

Result<std::string> sha256_of_file(const Path& path) {
  TRY_ASSIGN(InputFile file, InputFile::open(path));
  std::vector<std::byte> piece(std::size_t{4} << 20);
  Sha256 hash;
  for (std::uint64_t at = 0; at < file.size(); at += piece.size()) {
    TRY(check_interrupt());
    auto part = std::span(piece).first(std::min<std::uint64_t>(piece.size(), file.size() - at));
    TRY(file.read_at(at, part));
    hash.update(part);
  }
  return hash.hex();
}

}  // namespace fastvlm
