// MB/s of Tokenizer::encode on one core, with the real vocabulary of Qwen2.5.
//
//   bench_tokenizer                       the benchmarks
//   bench_tokenizer encode FOLDER FILE    encodes FILE with the tokenizer of FOLDER a few times and prints one line of JSON:
//                                         {"seconds": best CPU time, "bytes": …, "ids": …, "hash": FNV-1a of the ids}
//   bench_tokenizer text FILE             writes the mixed text
//
// The last two are for tokenizer_vs_hf.py, which runs it beside Hugging Face `tokenizers`.
#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <random>

#include "fastvlm/text/tokenizer.h"

namespace fastvlm {
namespace {

constexpr std::size_t kTextBytes = 4'000'000;
constexpr int kRounds = 5;

constexpr std::array<std::string_view, 12> kSentences = {
    "The picture shows a small harbour at dusk, with fishing boats moored along a stone pier. ",
    "Don't worry: they've already checked that it's the right one, haven't they?\n",
    "Der schnelle braune Fuchs springt über den faulen Hund und läuft zurück in den Wald. ",
    "Быстрая коричневая лиса перепрыгивает через ленивую собаку.\n",
    "图片里有一只猫坐在窗台上，窗外正在下雨。",
    "写真には、海辺で遊んでいる子供たちが写っています。\n",
    "저는 오늘 아침에 시장에서 사과와 배를 샀습니다. ",
    "العالم كبير والسماء زرقاء فوق البحر.\n",
    "for (int i = 0; i < count; ++i) {\n    total += weights[i] * inputs[i];\n}\n",
    "| 2024-03-17 | 1,048,576 | 3.14159 | 0x7fff |\n",
    "\U0001F642\U0001F680 naïve café\u0301s — “quoted” … <tag attr=\"x\">\n\n",
    "हिन्दी में एक छोटा वाक्य। ",
};

// Half whole sentences, half words made of syllables, so that words that are no tokens and never come twice are there too.
std::string mixed_text() {
  constexpr std::array<std::string_view, 16> kSyllables = {"ba",  "ter", "lo",  "min", "sha", "cor", "ve", "ing",
                                                           "qua", "dru", "pli", "os",  "en",  "ta",  "ri", "um"};
  std::mt19937 random(7);  // its sequence is fixed by the standard
  std::string text;
  while (text.size() < kTextBytes) {
    text += kSentences[random() % kSentences.size()];
    for (auto words = random() % 12; words > 0; --words) {
      for (auto syllables = random() % 3 + 1; syllables > 0; --syllables) text += kSyllables[random() % kSyllables.size()];
      text += ' ';
    }
  }
  return text;
}

Tokenizer load_or_exit(const Path& folder) {
  auto tokenizer = Tokenizer::load(folder);
  if (tokenizer.ok()) return *std::move(tokenizer);
  fmt::print(stderr, "{}\n", tokenizer.error().message);
  std::exit(static_cast<int>(tokenizer.error().kind));
}

void encode(benchmark::State& state, const std::string& text) {
  static const Tokenizer tokenizer = load_or_exit(Path(FASTVLM_TEST_DATA) / "tokenizer/qwen2.5");
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer.encode(text));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * text.size()));
}
BENCHMARK_CAPTURE(encode, mixed_text, mixed_text())->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, one_word_of_a_megabyte, std::string(1'000'000, 'a'))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, one_question, std::string("Describe the image in one sentence."))->Unit(benchmark::kMicrosecond);

int encode_file(const Path& folder, const Path& file) {
  const Tokenizer tokenizer = load_or_exit(folder);
  const auto text = read_file(file, std::size_t{1} << 30);
  if (!text.ok()) {
    fmt::print(stderr, "{}\n", text.error().message);
    return static_cast<int>(text.error().kind);
  }
  double best = 1e9;
  std::vector<std::int32_t> ids;
  for (int round = 0; round < kRounds; ++round) {
    const std::clock_t begin = std::clock();
    ids = tokenizer.encode(*text);
    best = std::min(best, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const std::int32_t id : ids) hash = (hash ^ static_cast<std::uint32_t>(id)) * 0x100000001B3U;
  fmt::print("{{\"seconds\": {}, \"bytes\": {}, \"ids\": {}, \"hash\": {}}}\n", best, text->size(), ids.size(), hash);
  return 0;
}

}  // namespace
}  // namespace fastvlm

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view(argv[1]) == "encode") return fastvlm::encode_file(argv[2], argv[3]);
  if (argc == 3 && std::string_view(argv[1]) == "text") {
    const fastvlm::Status written = fastvlm::write_file_atomically(argv[2], fastvlm::mixed_text());
    return written.ok() ? 0 : static_cast<int>(written.error().kind);
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
