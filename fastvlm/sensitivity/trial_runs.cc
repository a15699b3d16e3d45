#include "fastvlm/sensitivity/trial_runs.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "fastvlm/base/assert.h"
#include "fastvlm/base/decibels.h"
#include "fastvlm/base/try.h"
#include "fastvlm/evaluate/compare.h"

namespace fastvlm {
namespace {

// Signal and noise over all streams.
class Noise {
 public:
  void add(std::span<const float> floats, std::span<const float> other) {
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const double difference = double{other[i]} - floats[i];
      signal_ += double{floats[i]} * floats[i], noise_ += difference * difference;
    }
  }
  double decibels() const { return fastvlm::decibels(signal_, noise_); }

 private:
  double signal_ = 0, noise_ = 0;
};

}  // namespace

TrialRuns::Streams TrialRuns::beginnings() const { return model_.tower_parts() > 0 ? asked_->pixels : with_features({}); }

TrialRuns::Streams TrialRuns::with_features(const Streams& features) const {
  const CutDecoder& decoder = model_.decoder();
  Streams streams;
  for (const AskedRows& asked : asked_->sequences) {
    streams.push_back(asked.rows);
    streams.back().resize(static_cast<std::size_t>(decoder.length() * decoder.width()));
    if (!features.empty()) std::ranges::copy(features[asked.picture], streams.back().begin() + asked.image_row * decoder.width());
  }
  return streams;
}

std::vector<float> TrialRuns::choosing_rows(std::size_t sequence, const std::vector<float>& stream) const {
  const AskedRows& asked = asked_->sequences[sequence];
  const std::int64_t width = model_.decoder().width();
  return {stream.begin() + asked.first * width, stream.begin() + asked.count * width};
}

std::int64_t TrialRuns::tokens() const {
  std::int64_t sum = 0;
  for (const AskedRows& asked : asked_->sequences) sum += asked.count - asked.first;
  return sum;
}

double TrialRuns::seconds_from(std::int64_t part) const { return std::accumulate(seconds_.begin() + part, seconds_.end(), 0.0); }

Result<TrialRuns::Streams> TrialRuns::run(std::int64_t part, Runner& runner, const Streams& streams) const {
  const bool head = part + 1 == model_.parts();
  Streams behind;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    TRY_ASSIGN(behind.emplace_back(), model_.run(part, runner, head ? choosing_rows(i, streams[i]) : streams[i]));
  }
  return behind;
}

void TrialRuns::leave(std::int64_t part, Streams& streams, Apart* apart) const {
  if (part + 1 != model_.tower_parts()) return;
  if (apart != nullptr) {
    Noise noise;
    for (std::size_t i = 0; i < features_.size(); ++i) noise.add(features_[i], streams[i]);
    apart->features_db = noise.decibels();
  }
  streams = with_features(streams);
}

Result<TrialRuns> TrialRuns::create(const Asked& asked, CutModel model) {
  TrialRuns runs(asked, std::move(model));
  runs.streams_ = runs.beginnings();
  Streams streams = runs.streams_;
  for (std::int64_t part = 0; part < runs.model_.parts(); ++part) {
    const auto graph = runs.model_.find("", part);
    FASTVLM_ASSERT(graph, "a model that is cut");
    TRY_ASSIGN(runs.floats_.emplace_back(), runs.model_.open(*graph));
    const auto begin = std::chrono::steady_clock::now();
    TRY_ASSIGN(streams, runs.run(part, *runs.floats_.back(), streams));
    runs.seconds_.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    if (part + 1 == runs.model_.tower_parts()) runs.features_ = streams;
    runs.leave(part, streams, nullptr);
  }
  runs.logits_ = std::move(streams);
  return runs;
}

Result<Apart> TrialRuns::compared(const Streams& logits, Apart apart) const {
  Noise noise;
  std::int64_t tokens = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const std::span<const float> floats = logits_[i], other = logits[i];
    if (!std::ranges::all_of(other, [](float number) { return std::isfinite(number); }))
      return bad_input("the logits have a number that is not finite; verify tells where it comes from");
    const AskedRows& asked = asked_->sequences[i];
    const std::size_t vocabulary = floats.size() / static_cast<std::size_t>(asked.count - asked.first);
    for (std::size_t begin = 0; begin < floats.size(); begin += vocabulary, ++tokens)
      apart.kl += kl_divergence(floats.subspan(begin, vocabulary), other.subspan(begin, vocabulary));
    noise.add(floats, other);
  }
  apart.kl /= static_cast<double>(tokens);
  apart.snr_db = noise.decibels();
  return apart;
}

Result<Apart> TrialRuns::replace(const Path& graph) {
  TRY_ASSIGN(const std::unique_ptr<Runner> runner, model_.open(graph));
  Apart apart;
  TRY_ASSIGN(Streams streams, run(part_, *runner, streams_));
  leave(part_, streams, &apart);
  for (std::int64_t part = part_ + 1; part < model_.parts(); ++part) {
    TRY_ASSIGN(streams, run(part, *floats_[static_cast<std::size_t>(part)], streams));
    leave(part, streams, &apart);
  }
  return compared(streams, apart);
}

Status TrialRuns::advance() {
  if (part_ + 1 < model_.parts()) {
    TRY_ASSIGN(streams_, run(part_, *floats_[static_cast<std::size_t>(part_)], streams_));
    leave(part_, streams_, nullptr);
  }
  ++part_;
  return {};
}

Result<Apart> TrialRuns::whole(const CutModel& model, const ModelRecipes& recipes) const {
  Streams streams = beginnings();
  Apart apart;
  for (std::int64_t part = 0; part < model.parts(); ++part) {
    const auto graph = model.find(recipes, part);
    FASTVLM_ASSERT(graph, "a recipe that is cut like the model");
    TRY_ASSIGN(const std::unique_ptr<Runner> runner, model.open(*graph));
    TRY_ASSIGN(streams, run(part, *runner, streams));
    leave(part, streams, &apart);
  }
  return compared(streams, apart);
}

}  // namespace fastvlm
