// Decoding and preprocessing. Without arguments: Google Benchmark on a made-up 12-megapixel picture and a test JPEG.
// `bench_preprocess FILE SIZE pad|crop REPETITIONS` prints the milliseconds of each repetition, then the SHA-256 of the
// result; bench/preprocess_vs_pillow.py uses that.
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "fastvlm/base/hash.h"
#include "fastvlm/base/try.h"
#include "fastvlm/image/preprocess.h"

namespace {

using namespace fastvlm;

Image made_up_picture(int width, int height) {
  Image image = Image::black(width, height);
  std::uint32_t state = 1;
  for (auto& byte : image.rgb) byte = static_cast<std::uint8_t>((state = state * 1664525 + 1013904223) >> 24);
  return image;
}

void preprocess_12_megapixels(benchmark::State& state, ImageMode mode) {
  const Image picture = made_up_picture(4000, 3000);
  for (auto _ : state) benchmark::DoNotOptimize(preprocess(picture, {.mode = mode}));
}
BENCHMARK_CAPTURE(preprocess_12_megapixels, pad, ImageMode::kPad)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(preprocess_12_megapixels, crop, ImageMode::kCrop)->Unit(benchmark::kMillisecond)->UseRealTime();

void decode_test_jpeg(benchmark::State& state) {
  for (auto _ : state) benchmark::DoNotOptimize(load_image(FASTVLM_TEST_DATA "/images/input/retina.jpg"));
}
BENCHMARK(decode_test_jpeg)->Unit(benchmark::kMillisecond);

Status measure_file(const Path& path, int size, ImageMode mode, int repetitions) {
  std::string hash;
  for (int i = 0; i < repetitions; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    TRY_ASSIGN(Image picture, load_image(path));
    TRY_ASSIGN(Image square, preprocess(picture, {.size = size, .mode = mode}));
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    std::printf("%.3f\n", took.count());
    hash = sha256_of({reinterpret_cast<const char*>(square.rgb.data()), square.rgb.size()});
  }
  std::printf("%s\n", hash.c_str());
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 5) {
    const ImageMode mode = std::string(argv[3]) == "crop" ? ImageMode::kCrop : ImageMode::kPad;
    const Status status = measure_file(argv[1], std::atoi(argv[2]), mode, std::atoi(argv[4]));
    if (!status) std::fprintf(stderr, "%s\n", status.error().message.c_str());
    return status ? 0 : static_cast<int>(status.error().kind);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
