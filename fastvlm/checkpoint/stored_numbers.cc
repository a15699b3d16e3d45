#include "fastvlm/checkpoint/stored_numbers.h"

#include "fastvlm/base/mix.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

namespace {

// Numbers of a tensor that is only declared: from 0.5 to 1.5, another row for each tensor, so that no two weights become one.
float made_number(std::uint64_t tensor, std::uint64_t index) {
  const std::uint64_t mixed = split_mix(tensor + index * kSplitMixStep);
  return 0.5f + static_cast<float>(mixed >> 40) / static_cast<float>(1 << 24);
}

std::shared_ptr<const MatrixSource> made_numbers(std::shared_ptr<MatrixSource> source, const std::string& tensor) {
  source->read = [key = fnv1a(tensor), columns = source->columns](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                                  std::span<float> out) -> Status {
    float* to = out.data();
    for (std::int64_t r = r0; r < r1; ++r)
      for (std::int64_t c = c0; c < c1; ++c) *to++ = made_number(key, static_cast<std::uint64_t>(r * columns + c));
    return {};
  };
  return source;
}

}  // namespace

// Reads rectangles with pread: whole rows in one call, narrower ones row by row.
std::shared_ptr<const MatrixSource> stored_numbers(const CheckpointTensor& tensor) {
  auto source = std::make_shared<MatrixSource>();
  source->rows = tensor.shape.empty() ? 1 : tensor.shape[0];
  source->columns = source->rows == 0 ? 0 : element_count(tensor.shape) / source->rows;
  if (tensor.file == nullptr) return made_numbers(std::move(source), tensor.name);
  source->read = [&tensor, columns = source->columns](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                      std::span<float> out) -> Status {
    const auto size = static_cast<std::int64_t>(byte_size(tensor.dtype));
    const bool whole = c0 == 0 && c1 == columns;
    const std::int64_t width = whole ? (r1 - r0) * columns : c1 - c0;
    const std::int64_t pieces = whole ? 1 : r1 - r0;
    thread_local std::vector<std::byte> buffer;  // kept by the thread from piece to piece
    if (buffer.size() < static_cast<std::size_t>(width * size)) buffer.resize(static_cast<std::size_t>(width * size));
    const auto bytes = std::span(buffer).first(static_cast<std::size_t>(width * size));
    for (std::int64_t piece = 0; piece < pieces; ++piece) {
      auto offset = static_cast<std::uint64_t>(((r0 + piece) * columns + c0) * size);
      TRY(tensor.file->read_at(tensor.offset + offset, bytes));
      to_float32(tensor.dtype, bytes, out.subspan(static_cast<std::size_t>(piece * width), static_cast<std::size_t>(width)));
    }
    return {};
  };
  return source;
}

std::shared_ptr<const MatrixSource> channels_first(const CheckpointTensor& tensor) {
  const std::int64_t in = tensor.shape[1], taps = tensor.shape[2] * tensor.shape[3];
  auto turned = std::make_shared<MatrixSource>();
  turned->rows = tensor.shape[0];
  turned->columns = in * taps;
  turned->read = [inner = stored_numbers(tensor), in, taps](std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1,
                                                            std::span<float> out) -> Status {
    std::vector<float> row(static_cast<std::size_t>(in * taps));
    float* to = out.data();
    for (std::int64_t r = r0; r < r1; ++r) {
      TRY(inner->read(r, r + 1, 0, in * taps, row));
      for (std::int64_t c = c0; c < c1; ++c) *to++ = row[static_cast<std::size_t>(c % taps * in + c / taps)];
    }
    return {};
  };
  return turned;
}

}  // namespace fastvlm
