#include "fastvlm/export/model_identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {
namespace {

// Every row of a small tensor; of a large one first and last, and others between them.
constexpr std::int64_t kRowsOfEach = 64;

}  // namespace

Result<std::string> model_identity(const Checkpoint& checkpoint) {
  Sha256 hash;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    hash.update(as_bytes(fmt::format("{} {};", tensor.name, to_string(tensor.shape))));
    if (!is_float(tensor.dtype) || element_count(tensor.shape) == 0) continue;
    const WeightPtr weight = checkpoint.weight(tensor);
    std::vector<float> row(static_cast<std::size_t>(weight->row_size()));
    const std::int64_t rows = weight->row_count(), looked_at = std::min(rows, kRowsOfEach);
    for (std::int64_t i = 0; i < looked_at; ++i) {
      const std::int64_t at = looked_at == 1 ? 0 : i * (rows - 1) / (looked_at - 1);
      TRY(weight->read_rows(at, at + 1, row));
      hash.update(std::as_bytes(std::span(row)));
    }
  }
  return hash.hex();
}

}  // namespace fastvlm
