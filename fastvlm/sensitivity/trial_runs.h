// Runs parts of recipes between those of the float model, and tells how far picture features and choices of tokens move.
#pragma once

#include "fastvlm/sensitivity/asked.h"
#include "fastvlm/sensitivity/cut_model.h"
#include "fastvlm/sensitivity/sensitivity.h"

namespace fastvlm {

class TrialRuns {
 public:
  // Runs the float model. `asked` must outlive this, with pixels where the tower is cut.
  static Result<TrialRuns> create(const Asked& asked, CutModel model);

  const CutModel& model() const { return model_; }
  std::int64_t tokens() const;
  // How long the float parts take from that one on, all pictures and questions.
  double seconds_from(std::int64_t part) const;

  // A graph in the place of the part that comes now; the float ones behind it.
  Result<Apart> replace(const Path& graph);
  // Goes on to the next part.
  Status advance();
  // All parts of a model that is cut in the same way.
  Result<Apart> whole(const CutModel& model, const ModelRecipes& recipes) const;

 private:
  TrialRuns(const Asked& asked, CutModel model) : asked_(&asked), model_(std::move(model)) {}

  // What a part is given, of each picture, or, in the decoder, of each sequence [length, width]; behind the last part: logits of the
  // rows that choose.
  using Streams = std::vector<std::vector<float>>;
  Streams beginnings() const;
  // Sequences with these vectors of the pictures.
  Streams with_features(const Streams& features) const;
  std::vector<float> choosing_rows(std::size_t sequence, const std::vector<float>& stream) const;
  Result<Streams> run(std::int64_t part, Runner& runner, const Streams& streams) const;
  // What the decoder's first part takes, once the tower's last has run.
  void leave(std::int64_t part, Streams& streams, Apart* apart) const;
  Result<Apart> compared(const Streams& logits, Apart apart) const;

  const Asked* asked_;
  CutModel model_;
  std::vector<std::unique_ptr<Runner>> floats_;
  std::vector<double> seconds_;  // that each of them took
  Streams streams_;              // in front of the part that comes now
  std::int64_t part_ = 0;        // which that is
  Streams features_, logits_;    // of the float model
};

}  // namespace fastvlm
