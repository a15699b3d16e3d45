// What was found about each part: rows for people, and choices for a proposal.
#pragma once

#include <vector>

#include "fastvlm/sensitivity/propose.h"
#include "fastvlm/sensitivity/sensitivity.h"
#include "fastvlm/sensitivity/units.h"

namespace fastvlm {

// One trial in one part.
struct Tried {
  const Trial* trial = nullptr;
  std::vector<EncodingRule> rules;  // that make of the recipe what was tried
  std::int64_t saved = 0;           // bytes, against floats
  Apart apart;
};

// Where a trial changes a part, `rules` gets what the recipe does not say itself; false: it stores nothing there.
bool changes(const Trial& trial, const Recipe& recipe, const ModelPart& part, std::vector<EncodingRule>& rules);

struct PartFound {
  const ModelPart& part;
  const Recipe& recipe;           // of the decoder, or of the tower
  std::uint64_t float_bytes = 0;  // of its weights
  bool may_be_float = false;      // the recipe could leave it in half precision
  std::vector<Tried> tried;       // a wider form behind the recipe's own
};

class CostTable {
 public:
  void add(const PartFound& found);

  const std::vector<SensitivityRow>& rows() const { return rows_; }
  const std::vector<StorageUnit>& units() const { return units_; }

 private:
  void add_rows(const PartFound& found);
  void add_piece(const PartFound& found);
  void add_layer(const PartFound& found);

  std::vector<SensitivityRow> rows_;
  std::vector<StorageUnit> units_ = {StorageUnit{.choices = {StorageChoice{}}}};  // first what no trial changes
};

}  // namespace fastvlm
