// Memory that starts at a disk block, as writes past the page cache need it. It comes from the system and goes back to it,
// so that large buffers of many threads leave no holes in the heap.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <new>
#include <span>

namespace fastvlm {

class BlockBuffer {
 public:
  BlockBuffer() = default;
  BlockBuffer(const BlockBuffer&) = delete;
  BlockBuffer& operator=(const BlockBuffer&) = delete;
  ~BlockBuffer() { release(); }

  // Room for `size` bytes; what was in it before may be lost when it grows.
  std::span<std::byte> bytes(std::size_t size) {
    if (size > capacity_) {
      release();
      const std::size_t wanted = (size + kHugePage - 1) / kHugePage * kHugePage;
      void* data = ::mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (data == MAP_FAILED) throw std::bad_alloc();
      ::madvise(data, wanted, MADV_HUGEPAGE);
      data_ = static_cast<std::byte*>(data);
      capacity_ = wanted;
    }
    return {data_, size};
  }
  std::span<float> floats(std::size_t count) { return {reinterpret_cast<float*>(bytes(count * sizeof(float)).data()), count}; }

 private:
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;
  void release() {
    if (capacity_ > 0) ::munmap(data_, capacity_);
    capacity_ = 0;
  }
  std::byte* data_ = nullptr;
  std::size_t capacity_ = 0;
};

}  // namespace fastvlm
