#include "fastvlm/export/model_identity.h"

#include <fmt/format.h>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/tensor/dtype.h"

namespace fastvlm {

Result<std::string> model_identity(const Checkpoint& checkpoint) {
  Sha256 hash;
  for (const CheckpointTensor& tensor : checkpoint.tensors()) {
    hash.update(as_bytes(fmt::format("{} {};", tensor.name, to_string(tensor.shape))));
    if (!is_float(tensor.dtype) || element_count(tensor.shape) == 0) continue;
    const WeightPtr weight = checkpoint.weight(tensor);
    std::vector<float> row(static_cast<std::size_t>(weight->row_size()));
    TRY(weight->read_rows(0, 1, row));
    hash.update(std::as_bytes(std::span(row)));
  }
  return hash.hex();
}

}  // namespace fastvlm
