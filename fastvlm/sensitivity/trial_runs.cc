#include "fastvlm/sensitivity/trial_runs.h"

#include <algorithm>
#include <cmath>

#include "fastvlm/base/decibels.h"
#include "fastvlm/base/try.h"
#include "fastvlm/evaluate/compare.h"

namespace fastvlm {
namespace {

// Sums over all sequences.
class Sums {
 public:
  Status add(std::span<const float> floats, std::span<const float> other, std::size_t vocabulary) {
    if (!std::ranges::all_of(other, [](float number) { return std::isfinite(number); }))
      return bad_input("the logits have a number that is not finite; verify tells where it comes from");
    for (std::size_t begin = 0; begin < floats.size(); begin += vocabulary, ++tokens_)
      kl_ += kl_divergence(floats.subspan(begin, vocabulary), other.subspan(begin, vocabulary));
    for (std::size_t i = 0; i < floats.size(); ++i) {
      const double difference = double{other[i]} - floats[i];
      signal_ += double{floats[i]} * floats[i], noise_ += difference * difference;
    }
    return {};
  }
  Apart apart() const { return {.kl = kl_ / static_cast<double>(tokens_), .snr_db = decibels(signal_, noise_)}; }

 private:
  double kl_ = 0, signal_ = 0, noise_ = 0;
  std::int64_t tokens_ = 0;
};

}  // namespace

TrialRuns::Streams TrialRuns::embeddings() const {
  Streams streams;
  for (const AskedRows& asked : *asked_) {
    streams.push_back(asked.rows);
    streams.back().resize(static_cast<std::size_t>(decoder_.length() * decoder_.width()));
  }
  return streams;
}

std::vector<float> TrialRuns::choosing_rows(std::size_t sequence, const std::vector<float>& stream) const {
  const AskedRows& asked = (*asked_)[sequence];
  return {stream.begin() + asked.first * decoder_.width(), stream.begin() + asked.count * decoder_.width()};
}

std::int64_t TrialRuns::tokens() const {
  std::int64_t sum = 0;
  for (const AskedRows& asked : *asked_) sum += asked.count - asked.first;
  return sum;
}

Result<TrialRuns> TrialRuns::create(const std::vector<AskedRows>& asked, CutDecoder decoder) {
  TrialRuns runs(asked, std::move(decoder));
  runs.streams_ = runs.embeddings();
  Streams streams = runs.streams_;
  for (std::int64_t part = 0; part <= runs.decoder_.layers(); ++part) {
    const GraphEntry* graph = runs.decoder_.find("", part);
    FASTVLM_ASSERT(graph != nullptr, "a decoder that is cut at every layer");
    TRY_ASSIGN(runs.floats_.emplace_back(), runs.decoder_.open_part(*graph));
    Runner& runner = *runs.floats_.back();
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (part < runs.decoder_.layers()) {
        TRY_ASSIGN(streams[i], runs.decoder_.run_layer(runner, streams[i]));
      } else {
        TRY_ASSIGN(runs.logits_.emplace_back(), runs.decoder_.run_head(runner, runs.choosing_rows(i, streams[i])));
      }
    }
  }
  return runs;
}

Result<Apart> TrialRuns::compared(Runner& head, const Streams& streams) const {
  Sums sums;
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const std::vector<float> rows = choosing_rows(i, streams[i]);
    TRY_ASSIGN(const std::vector<float> logits, decoder_.run_head(head, rows));
    TRY(sums.add(logits_[i], logits, logits.size() * static_cast<std::size_t>(decoder_.width()) / rows.size()));
  }
  return sums.apart();
}

Result<Apart> TrialRuns::replace(const GraphEntry& graph) {
  TRY_ASSIGN(const std::unique_ptr<Runner> runner, decoder_.open_part(graph));
  if (part_ == decoder_.layers()) return compared(*runner, streams_);
  Streams streams;
  for (const std::vector<float>& before : streams_) {
    TRY_ASSIGN(std::vector<float> stream, decoder_.run_layer(*runner, before));
    for (std::int64_t part = part_ + 1; part < decoder_.layers(); ++part) {
      TRY_ASSIGN(stream, decoder_.run_layer(*floats_[static_cast<std::size_t>(part)], stream));
    }
    streams.push_back(std::move(stream));
  }
  return compared(*floats_.back(), streams);
}

Status TrialRuns::advance() {
  if (part_ < decoder_.layers())
    for (std::vector<float>& stream : streams_) {
      TRY_ASSIGN(stream, decoder_.run_layer(*floats_[static_cast<std::size_t>(part_)], stream));
    }
  ++part_;
  return {};
}

Result<Apart> TrialRuns::whole(const CutDecoder& decoder, const std::string& recipe) const {
  Streams streams = embeddings();
  for (std::int64_t part = 0;; ++part) {
    const GraphEntry* graph = decoder.find(recipe, part);
    FASTVLM_ASSERT(graph != nullptr, "a recipe that is cut at every layer");
    TRY_ASSIGN(const std::unique_ptr<Runner> runner, decoder.open_part(*graph));
    if (part == decoder.layers()) return compared(*runner, streams);
    for (std::vector<float>& stream : streams) {
      TRY_ASSIGN(stream, decoder.run_layer(*runner, stream));
    }
  }
}

}  // namespace fastvlm
