#include "fastvlm/cli/npu_arguments.h"

#include <charconv>

#include "fastvlm/base/try.h"

namespace fastvlm::cli {
namespace {

Result<FusedSize> fused_size(const std::string& text) {
  FusedSize size;
  const char* end = text.data() + text.size();
  auto first = std::from_chars(text.data(), end, size.vision_tokens);
  if (first.ec == std::errc() && first.ptr != end && *first.ptr == 'x') {
    auto second = std::from_chars(first.ptr + 1, end, size.text_tokens);
    if (second.ec == std::errc() && second.ptr == end) return size;
  }
  return bad_usage("--fused {}: must be vision tokens x text tokens, such as 256x512", text);
}

}  // namespace

Result<NpuOptions> npu_options(const NpuArguments& arguments) {
  NpuOptions options{.targets = arguments.targets,
                     .image_sizes = arguments.image_sizes,
                     .prefill = arguments.prefill,
                     .context = arguments.context,
                     .prefill_logits = arguments.prefill_logits == "all",
                     .io_dtype = arguments.io_dtype == "float16" ? Dtype::kFloat16 : Dtype::kFloat32,
                     .part_limit_bytes = static_cast<std::uint64_t>(arguments.part_limit_gb * 1e9)};
  for (const std::string& text : arguments.fused) {
    TRY_ASSIGN(FusedSize size, fused_size(text));
    options.fused.push_back(size);
  }
  return options;
}

}  // namespace fastvlm::cli
