// Runs parts of recipes between those of the float decoder, and tells how far the choices of tokens move.
#pragma once

#include <map>

#include "fastvlm/sensitivity/asked.h"
#include "fastvlm/sensitivity/cut_decoder.h"
#include "fastvlm/sensitivity/sensitivity.h"

namespace fastvlm {

class TrialRuns {
 public:
  // Runs the float decoder. `asked` must outlive this.
  static Result<TrialRuns> create(const std::vector<AskedRows>& asked, CutDecoder decoder);

  const CutDecoder& decoder() const { return decoder_; }
  std::int64_t tokens() const;

  // A graph in the place of the part that comes now; the float ones behind it.
  Result<Apart> replace(const GraphEntry& graph);
  // Goes on to the next part.
  Status advance();
  // All parts of a recipe of a folder that is cut in the same way.
  Result<Apart> whole(const CutDecoder& decoder, const std::string& recipe) const;

 private:
  TrialRuns(const std::vector<AskedRows>& asked, CutDecoder decoder) : asked_(&asked), decoder_(std::move(decoder)) {}

  using Streams = std::vector<std::vector<float>>;  // of each sequence [length, width]
  Streams embeddings() const;
  std::vector<float> choosing_rows(std::size_t sequence, const std::vector<float>& stream) const;
  Result<Apart> compared(Runner& head, const Streams& streams) const;

  const std::vector<AskedRows>* asked_;
  CutDecoder decoder_;
  std::vector<std::unique_ptr<Runner>> floats_;
  Streams streams_;                         // in front of the part that comes now
  std::int64_t part_ = 0;                   // which that is
  std::vector<std::vector<float>> logits_;  // of the float decoder, of the rows that choose
};

}  // namespace fastvlm
