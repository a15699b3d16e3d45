// A checkpoint of the test data that a test may change before it is exported.
#pragma once

#include <functional>

#include "fastvlm/checkpoint/safetensors.h"
#include "fastvlm/checkpoint/safetensors_writer.h"
#include "fastvlm/export/golden_export_for_tests.h"
#include "fastvlm/tensor/convert.h"

namespace fastvlm {

class EditedCheckpoint {
 public:
  // All tensors come into `tensors`; the small files are copied.
  EditedCheckpoint(const Path& folder, const std::string& golden) : EditedCheckpoint(folder, golden_folder(golden) / "checkpoint") {}
  EditedCheckpoint(const Path& folder, const char* golden) : EditedCheckpoint(folder, std::string(golden)) {}
  EditedCheckpoint(const Path& folder, const Path& source) : folder_(folder) {
    std::filesystem::create_directories(folder);
    for (const auto& entry : std::filesystem::directory_iterator(source)) {
      const std::string name = entry.path().filename().string();
      if (name.ends_with(".safetensors")) {
        auto read = read_safetensors(entry.path());
        EXPECT_TRUE(read.ok()) << name;
        for (NamedTensor& tensor : *read) tensors.push_back(std::move(tensor));
      } else if (!name.ends_with("index.json")) {
        write(name, text_of(entry.path()));
      }
    }
  }

  const Path& path() const { return folder_; }
  void write(const std::string& name, std::string_view bytes) const { write_text(folder_ / name, bytes); }
  void edit(const std::function<void(Json&)>& change, const std::string& name = "config.json") const {
    Json json = Json::parse(text_of(folder_ / name));
    change(json);
    write(name, json.dump());
  }
  NamedTensor& tensor(const std::string& name) {
    for (NamedTensor& tensor : tensors)
      if (tensor.name == name) return tensor;
    ADD_FAILURE() << name;
    return tensors.front();
  }
  void add(std::string name, Shape shape, float value) {
    const std::vector<float> values(static_cast<std::size_t>(element_count(shape)), value);
    tensors.push_back({std::move(name), Tensor::of_floats(std::move(shape), values)});
  }
  // Numbers [begin, begin + count) of every `stride` become `factor` times what they were.
  void multiply(const std::string& name, float factor, std::size_t begin, std::size_t count = 1, std::size_t stride = 0) {
    Tensor& changed = tensor(name).tensor;
    const Tensor wide = to_float32(changed.view());
    std::vector<float> numbers(wide.floats().begin(), wide.floats().end());
    for (std::size_t row = begin; row < numbers.size(); row += stride == 0 ? numbers.size() : stride)
      for (std::size_t i = row; i < std::min(row + count, numbers.size()); ++i) numbers[i] *= factor;
    changed = Tensor::of_floats(changed.shape, numbers);
  }
  void rename(const std::function<std::string(const std::string&)>& change) {
    for (NamedTensor& tensor : tensors) tensor.name = change(tensor.name);
  }
  void save(const std::string& name = "model.safetensors") const {
    EXPECT_TRUE(write_safetensors(folder_ / name, tensors, {{"format", "pt"}}).ok()) << name;
  }

  std::vector<NamedTensor> tensors;

 private:
  Path folder_;
};

inline bool mentions(const std::vector<std::string>& findings, std::string_view part) {
  return std::ranges::any_of(findings, [&](const std::string& finding) { return finding.find(part) != std::string::npos; });
}

}  // namespace fastvlm
