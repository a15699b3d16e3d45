// Numbers out of a picture file; nothing beyond its end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace fastvlm {

class ByteReader {
 public:
  explicit ByteReader(std::span<const std::byte> bytes, bool big_endian = false) : bytes_(bytes), big_endian_(big_endian) {}
  std::size_t size() const { return bytes_.size(); }
  // `length` bytes from `offset` on as a number; nothing when they are not all there.
  std::optional<std::uint32_t> number(std::size_t offset, std::size_t length) const {
    if (offset > bytes_.size() || bytes_.size() - offset < length) return std::nullopt;
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < length; ++i)
      value = value << 8 | std::to_integer<std::uint32_t>(bytes_[offset + (big_endian_ ? i : length - 1 - i)]);
    return value;
  }
  // The part [offset, offset + length) as far as it is there.
  std::span<const std::byte> part(std::size_t offset, std::size_t length) const {
    if (offset >= bytes_.size()) return {};
    return bytes_.subspan(offset, length < bytes_.size() - offset ? length : bytes_.size() - offset);
  }

 private:
  std::span<const std::byte> bytes_;
  bool big_endian_ = false;
};

}  // namespace fastvlm
