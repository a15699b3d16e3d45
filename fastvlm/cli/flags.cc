#include "fastvlm/cli/flags.h"

#include <algorithm>
#include <array>

namespace fastvlm::cli {
namespace {

// Options that the library speaks of. The flag is the name with hyphens, if it is not given.
struct OptionName {
  std::string_view option;
  std::string_view flag = {};
};
constexpr std::array kOptions = {
    OptionName{"against"},
    OptionName{"against_recipe"},
    OptionName{"answers"},
    OptionName{"base_model"},
    OptionName{"batch_output"},
    OptionName{"cache_folder", "cache"},
    OptionName{"calibration"},
    OptionName{"context"},
    OptionName{"dialect"},
    OptionName{"dtype"},
    OptionName{"encodings"},
    OptionName{"force"},
    OptionName{"forced"},
    OptionName{"format"},
    OptionName{"freeze"},
    OptionName{"fused"},
    OptionName{"graphs"},
    OptionName{"image_size"},
    OptionName{"image_sizes"},
    OptionName{"io_dtype"},
    OptionName{"kv_dtype"},
    OptionName{"layouts", "layout"},
    OptionName{"max_drop"},
    OptionName{"max_failed"},
    OptionName{"max_kl"},
    OptionName{"max_kl_99"},
    OptionName{"max_new_tokens"},
    OptionName{"metric"},
    OptionName{"min_agreement"},
    OptionName{"min_score"},
    OptionName{"model_dir"},
    OptionName{"onnxruntime_library", "ort-library"},
    OptionName{"output"},
    OptionName{"part_limit_bytes", "part-limit"},
    OptionName{"probe"},
    OptionName{"question"},
    OptionName{"prefill"},
    OptionName{"prefill_logits"},
    OptionName{"qnn_plugin"},
    OptionName{"range_share"},
    OptionName{"recipe"},
    OptionName{"results"},
    OptionName{"runner"},
    OptionName{"reuse"},
    OptionName{"gelu"},
    OptionName{"runtime"},
    OptionName{"shard"},
    OptionName{"size"},
    OptionName{"targets", "target"},
    OptionName{"temperature"},
    OptionName{"unshared"},
    OptionName{"variants"},
    OptionName{"vision_recipe"},
};

const OptionName* find(std::string_view option) {
  const auto* row = std::ranges::find(kOptions, option, &OptionName::option);
  return row == kOptions.end() ? nullptr : row;
}

}  // namespace

std::string flag_of(std::string_view option) {
  const OptionName* row = find(option);
  std::string flag(row == nullptr || row->flag.empty() ? option : row->flag);
  std::ranges::replace(flag, '_', '-');
  return "--" + flag;
}

std::string with_flags(std::string_view sentence) {
  std::string told;
  while (true) {
    const std::size_t begin = sentence.find('`'), end = begin == sentence.npos ? begin : sentence.find('`', begin + 1);
    if (end == sentence.npos) return told.append(sentence);
    const std::string_view option = sentence.substr(begin + 1, end - begin - 1);
    const bool known = find(option) != nullptr;
    told.append(sentence.substr(0, begin)).append(known ? flag_of(option) : sentence.substr(begin, end - begin));
    sentence.remove_prefix(known ? end + 1 : end);
  }
}

void spell_flags(OrderedJson& json) {
  if (json.is_string()) json = with_flags(json.get_ref<const std::string&>());
  if (json.is_structured())
    for (OrderedJson& member : json) spell_flags(member);
}

std::string told_with_flags(const Error& error) {
  std::string told = with_flags(error.message);
  if (error.option == "targets") told += "; --target help shows them with their phones";
  return told;
}

}  // namespace fastvlm::cli
