#include "fastvlm/image/gif_reader.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "fastvlm/base/try.h"
#include "fastvlm/image/byte_reader.h"

namespace fastvlm {
namespace {

constexpr std::size_t kScreenHeader = 13;
constexpr std::uint32_t kColorTable = 0x80, kInterlaced = 0x40;
constexpr int kMaxCodeBits = 12;

struct Frame {
  std::size_t left = 0, top = 0, width = 0, height = 0;
  bool interlaced = false;
  std::size_t palette_at = 0;  // 0: none, grey
  std::size_t palette_count = 0;
  std::optional<std::uint8_t> transparent = std::nullopt;
  std::size_t data_at = 0;  // the size of the first codes, then blocks
};

std::size_t table_count(std::uint32_t flags) { return (flags & kColorTable) != 0 ? std::size_t{2} << (flags & 7) : 0; }

// Behind a chain of blocks, each with its length before it; nothing when the file ends first.
std::optional<std::size_t> behind_blocks(const ByteReader& file, std::size_t at) {
  for (;;) {
    const auto length = file.number(at, 1);
    if (!length) return std::nullopt;
    at += 1 + *length;
    if (*length == 0) return at;
  }
}

// Walks over extensions to the first picture.
std::optional<Frame> first_frame(const ByteReader& file) {
  const auto flags = file.number(10, 1);
  if (!flags) return std::nullopt;
  Frame frame{.palette_at = kScreenHeader, .palette_count = table_count(*flags)};
  std::size_t at = kScreenHeader + 3 * frame.palette_count;
  for (;;) {
    const auto kind = file.number(at, 1);
    if (kind == ',') break;
    if (kind != '!') return std::nullopt;
    const auto label = file.number(at + 1, 1), control = file.number(at + 3, 1), transparent = file.number(at + 6, 1);
    if (label == 0xf9 && control && transparent) {
      frame.transparent.reset();
      if ((*control & 1) != 0) frame.transparent = static_cast<std::uint8_t>(*transparent);
    }
    const auto next = behind_blocks(file, at + 2);
    if (!next) return std::nullopt;
    at = *next;
  }
  const auto local = file.number(at + 9, 1);
  if (!local) return std::nullopt;
  frame.left = *file.number(at + 1, 2);
  frame.top = *file.number(at + 3, 2);
  frame.width = *file.number(at + 5, 2);
  frame.height = *file.number(at + 7, 2);
  frame.interlaced = (*local & kInterlaced) != 0;
  if (const std::size_t own = table_count(*local); own > 0) frame.palette_at = at + 10, frame.palette_count = own;
  frame.data_at = at + 10 + 3 * table_count(*local);
  return frame;
}

// Codes of growing length out of a chain of blocks, low bits first.
class CodeReader {
 public:
  CodeReader(const ByteReader& file, std::size_t at) : file_(file), at_(at) {}
  std::optional<std::uint32_t> next(int bits) {
    while (have_ < bits) {
      if (left_ == 0) {
        const auto length = file_.number(at_, 1);
        // A block is taken as a whole or not at all, as Pillow does.
        if (!length || *length == 0 || !file_.number(at_ + *length, 1)) return std::nullopt;
        left_ = *length;
        ++at_;
      }
      const auto byte = file_.number(at_, 1);
      if (!byte) return std::nullopt;
      ++at_, --left_;
      buffer_ |= *byte << have_;
      have_ += 8;
    }
    const std::uint32_t code = buffer_ & ((1u << bits) - 1);
    buffer_ >>= bits;
    have_ -= bits;
    return code;
  }

 private:
  const ByteReader& file_;
  std::size_t at_ = 0;
  std::uint32_t left_ = 0, buffer_ = 0;
  int have_ = 0;
};

// Each entry of the table is an earlier string and one more byte.
class StringTable {
 public:
  explicit StringTable(int first_bits) : clear_(1u << first_bits), count_(clear_ + 2) {
    for (std::uint32_t i = 0; i < clear_; ++i)
      entries_[i] = {.last = static_cast<std::uint8_t>(i), .first = static_cast<std::uint8_t>(i), .length = 1};
  }
  void clear() { count_ = clear_ + 2; }
  std::uint32_t clear_code() const { return clear_; }
  std::uint32_t end_code() const { return clear_ + 1; }
  std::uint32_t count() const { return count_; }
  std::uint8_t first(std::uint32_t code) const { return entries_[code].first; }
  void add(std::uint32_t previous, std::uint8_t last) {
    if (count_ == entries_.size()) return;
    entries_[count_++] = {.previous = static_cast<std::uint16_t>(previous),
                          .last = last,
                          .first = entries_[previous].first,
                          .length = entries_[previous].length + 1};
  }
  // Writes the string of a code at the end of `out`, no more than `limit` bytes in all.
  void write(std::uint32_t code, std::vector<std::uint8_t>& out, std::size_t limit) const {
    const std::size_t begin = out.size(), end = begin + entries_[code].length;
    out.resize(end);
    for (std::size_t i = end; i-- > begin; code = entries_[code].previous) out[i] = entries_[code].last;
    if (out.size() > limit) out.resize(limit);
  }

 private:
  struct Entry {
    std::uint16_t previous = 0;
    std::uint8_t last = 0, first = 0;
    std::uint32_t length = 0;
  };
  std::uint32_t clear_ = 0, count_ = 0;
  std::array<Entry, 1u << kMaxCodeBits> entries_{};
};

// The colour numbers of a frame, `wanted` of them; nothing when the data are damaged or end early.
std::optional<std::vector<std::uint8_t>> read_indices(const ByteReader& file, const Frame& frame) {
  const auto first_bits = file.number(frame.data_at, 1);
  if (!first_bits || *first_bits < 1 || *first_bits > 8) return std::nullopt;
  const std::size_t wanted = frame.width * frame.height;
  StringTable table(static_cast<int>(*first_bits));
  CodeReader codes(file, frame.data_at + 1);
  std::vector<std::uint8_t> indices;
  std::optional<std::uint32_t> previous;
  int bits = static_cast<int>(*first_bits) + 1;
  while (indices.size() < wanted) {
    const auto code = codes.next(bits);
    if (!code || *code == table.end_code()) return std::nullopt;
    if (*code == table.clear_code()) {
      table.clear();
      previous.reset();
      bits = static_cast<int>(*first_bits) + 1;
      continue;
    }
    if (!previous) {
      if (*code >= table.clear_code()) return std::nullopt;
    } else {
      // A code may name the very string that it completes.
      if (*code > table.count()) return std::nullopt;
      table.add(*previous, table.first(*code < table.count() ? *code : *previous));
      if (*code >= table.count()) return std::nullopt;
    }
    table.write(*code, indices, wanted);
    previous = *code;
    if (table.count() == 1u << bits && bits < kMaxCodeBits) ++bits;
  }
  return indices;
}

// The rows of an interlaced frame come in four passes.
std::vector<std::size_t> row_order(const Frame& frame) {
  std::vector<std::size_t> rows;
  struct Pass {
    std::size_t first, step;
  };
  constexpr Pass kInterlace[] = {{0, 8}, {4, 8}, {2, 4}, {1, 2}}, kPlain[] = {{0, 1}};
  for (const Pass& pass : frame.interlaced ? std::span<const Pass>(kInterlace) : std::span<const Pass>(kPlain))
    for (std::size_t y = pass.first; y < frame.height; y += pass.step) rows.push_back(y);
  return rows;
}

}  // namespace

Result<StoredImage> read_gif(std::span<const std::byte> bytes, std::string_view what, const ImageDecodeOptions& options) {
  const ByteReader file(bytes);
  auto damaged = [&] { return bad_input("{}: the GIF cannot be decoded (it is damaged or truncated)", what); };
  const auto width = file.number(6, 2), height = file.number(8, 2);
  if (!width || !height) return damaged();
  TRY(check_size(*width, *height, what, options));
  const auto frame = first_frame(file);
  if (!frame || frame->width == 0 || frame->height == 0) return damaged();
  TRY(check_size(frame->left + frame->width, frame->top + frame->height, what, options));
  const auto indices = read_indices(file, *frame);
  if (!indices) return damaged();

  std::array<Color, 256> palette;
  for (std::size_t i = 0; i < palette.size(); ++i) {
    palette[i].fill(static_cast<std::uint8_t>(i));  // without a palette, and beyond its end, the numbers are grey
    if (i >= frame->palette_count) continue;
    for (std::size_t c = 0; c < 3; ++c) {
      const auto value = file.number(frame->palette_at + 3 * i + c, 1);
      if (!value) return damaged();
      palette[i][c] = static_cast<std::uint8_t>(*value);
    }
  }
  // A frame may reach beyond the screen; Pillow makes the screen larger then.
  Image image =
      Image::filled(static_cast<int>(std::max<std::size_t>(*width, frame->left + frame->width)),
                    static_cast<int>(std::max<std::size_t>(*height, frame->top + frame->height)), palette[frame->transparent.value_or(0)]);
  const std::uint8_t* index = indices->data();
  for (std::size_t y : row_order(*frame)) {
    std::uint8_t* out = image.row(static_cast<int>(frame->top + y)) + frame->left * 3;
    for (std::size_t x = 0; x < frame->width; ++x, out += 3) std::copy_n(palette[*index++].data(), 3, out);
  }
  return StoredImage{.image = std::move(image)};
}

}  // namespace fastvlm
