// SHA-256 (OpenSSL).
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "fastvlm/base/files.h"
#include "fastvlm/base/result.h"

namespace fastvlm {

class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::span<const std::byte> bytes);
  // 64 lower-case hex digits. The object is used up afterwards.
  std::string hex();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_of(std::string_view bytes);
// Reads in pieces of 4 MiB.
Result<std::string> sha256_of_file(const Path& path);

}  // namespace fastvlm
