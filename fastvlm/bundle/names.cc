#include "fastvlm/bundle/names.h"

#include <fmt/format.h>

namespace fastvlm {
namespace {

constexpr std::string_view kGraphEnd = ".onnx";
constexpr std::string_view kDataEnd = ".data";

}  // namespace

std::string npu_file(std::string_view name) { return fmt::format("{}/{}", kNpuFolder, name); }

bool is_npu_file(std::string_view file) { return file.starts_with(npu_file("")); }

std::string graph_file(std::string_view name, bool npu) {
  const std::string file = fmt::format("{}{}", name, kGraphEnd);
  return npu ? npu_file(file) : file;
}

std::string data_file_of(std::string_view graph_file) { return fmt::format("{}{}", graph_file, kDataEnd); }

std::string data_file_of_group(std::string_view group, std::string_view recipe) {
  return fmt::format("{}{}{}{}{}", group.substr(0, group.find('_')), recipe.empty() ? "" : "_", recipe, kGraphEnd, kDataEnd);
}

std::string compiled_folder(std::string_view chip) { return npu_file(fmt::format("{}/", chip)); }

}  // namespace fastvlm
